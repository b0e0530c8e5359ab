/* The only program of the machine that scripts/kernel-boot.sh starts: says what works, and ends.
 * It is linked statically; every line is one claim, "ok" or "FAILED", that the script reads from the serial console. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void say(int ok, const char *what, const char *name)
{
	printf("elfgraft-boot: %s %s: %s\n", what, name, ok ? "ok" : "FAILED");
	if (!ok)
		printf("elfgraft-boot: %s\n", strerror(errno));
}

/* What a C library does with the vDSO: its dynamic symbols, by way of the loaded bytes only. */
static time_t (*vdso_time(void))(time_t *)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)base;
	const Elf64_Phdr *segment = (const Elf64_Phdr *)(base + header->e_phoff);
	const Elf64_Dyn *dynamic = NULL;
	const Elf64_Sym *symbols = NULL;
	const char *names = NULL;
	const Elf64_Word *hash = NULL;

	if (!base)
		return NULL;
	for (int i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_DYNAMIC)
			dynamic = (const Elf64_Dyn *)(base + segment[i].p_offset);
	for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
		const char *at = base + dynamic->d_un.d_ptr;
		if (dynamic->d_tag == DT_SYMTAB)
			symbols = (const Elf64_Sym *)at;
		else if (dynamic->d_tag == DT_STRTAB)
			names = at;
		else if (dynamic->d_tag == DT_HASH)
			hash = (const Elf64_Word *)at;
	}
	for (Elf64_Word i = 1; symbols && names && hash && i < hash[1]; i++)
		if (!strcmp(names + symbols[i].st_name, "__vdso_time"))
			return (time_t (*)(time_t *))(base + symbols[i].st_value);
	return NULL;
}

int main(void)
{
	char name[64], path[96];
	FILE *list;
	time_t (*from_vdso)(time_t *) = vdso_time();

	setvbuf(stdout, NULL, _IONBF, 0);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	say(from_vdso && from_vdso(NULL) - syscall(SYS_time, NULL) <= 1, "call into", "vdso64");
	say(access("/sys/kernel/btf/vmlinux", R_OK) == 0, "BTF of", "vmlinux");
	/* /modules: their names, in an order in which they load. */
	list = fopen("/modules", "r");
	while (list && fscanf(list, "%63s", name) == 1) {
		int file;

		snprintf(path, sizeof(path), "/%s.ko", name);
		file = open(path, O_RDONLY);
		say(file >= 0 && syscall(SYS_finit_module, file, "", 0) == 0, "load", name);
		close(file);
		for (char *c = name; *c; c++)
			if (*c == '-')
				*c = '_';
		/* The kernel shows a module's BTF when it has found it valid against its own. */
		snprintf(path, sizeof(path), "/sys/kernel/btf/%s", name);
		say(access(path, R_OK) == 0, "BTF of", name);
	}
	puts("elfgraft-boot: end");
	reboot(RB_AUTOBOOT);
	return 1;
}
