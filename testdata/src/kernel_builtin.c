/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What built-in modules leave in vmlinux, and the slot for module hashes. */
#include "kernel.h"

/* Zero until the hash of all modules is known: levels, then the root. */
const struct {
	u32 levels;
	u8 root[32];
} module_hashes in_section(".module_hashes") __attribute__((aligned(4))) = { 0 };

MODINFO("kbd.license=Dual MIT/Apache-2.0");
MODINFO("kbd.file=drivers/input/kbd");
MODINFO("kbd.description=Keys of the test kernel");
MODINFO("disk.license=Dual MIT/Apache-2.0");
MODINFO("disk.file=drivers/block/disk");
MODINFO("disk.parmtype=queues:uint");

const struct device_id kbd_table[] in_section(".rodata.tables") = {
	{ 0x1234, 1 }, { 0x1234, 2 }, { 0, 0 }
};
const struct device_id disk_table[] in_section(".rodata.tables") = { { 0x4321, 7 }, { 0, 0 } };
const struct device_id net_table[] in_section(".rodata.tables") = { { 0x99, 9 }, { 0, 0 } };
const struct device_id used_table[] in_section(".rodata.tables") = { { 0x55, 5 }, { 0, 0 } };

/* One global, one weak, one local, and one that data refers to by this name. */
DEVICE_TABLE(usb, kbd_table);
DEVICE_TABLE(pci, disk_table) __attribute__((weak));
asm(".set __mod_device_table__acpi__net_table, net_table\n"
    ".local __mod_device_table__acpi__net_table\n"
    ".globl __mod_device_table__pci__used_table\n"
    ".set __mod_device_table__pci__used_table, used_table\n");
extern const struct device_id __mod_device_table__pci__used_table[];
const struct device_id *const used_pointer in_section(".data.used") =
	__mod_device_table__pci__used_table;

/* Its relocation section is called .relaruntime_ptr_ids: matched by '.rel*'. */
asm(".pushsection runtime_ptr_ids, \"a\", %progbits\n"
    ".quad used_pointer\n"
    ".popsection\n");

noinline u32 table_first(const struct device_id *table)
{
	return table->vendor + module_hashes.levels;
}
