#!/bin/bash
# Boots a kernel that scripts/kernel-build.sh built, loads its installed (stripped) modules, and checks what
# scripts/kernel-init.c says about it on the serial console.
#
#   scripts/kernel-boot.sh BUILD OUT
set -euo pipefail

build=$(readlink -f "$1") out=$2
scripts=$(readlink -f "$(dirname "$0")")
command -v qemu-system-x86_64 > /dev/null || { echo "no qemu-system-x86_64: $build is not booted"; exit 0; }
rm -rf "$out" && mkdir -p "$out"
gcc -static -O2 -Wall -Werror -o "$out/init" "$scripts/kernel-init.c"
modules=$(find "$build/installed" -name '*.ko' | sort)
[ -n "$modules" ] || { echo "$build: no modules were installed" >&2; exit 1; }
{
    printf 'dir /dev 755 0 0\nnod /dev/console 600 0 0 c 5 1\ndir /sys 755 0 0\nfile /init %s 755 0 0\n' "$out/init"
    for module in $modules; do
        printf 'file /%s %s 644 0 0\n' "$(basename "$module")" "$module"
    done
    printf 'file /modules %s 644 0 0\n' "$out/modules"
} > "$out/list"
# A module after those that it needs, by its symbols or ("softdep: pre") by what they offer.
for module in $modules; do
    modinfo -F alias "$module" | sed "s/$/ $(basename "$module" .ko)/"
done > "$out/aliases"
for module in $modules; do
    name=$(basename "$module" .ko)
    echo "$name $name"
    modinfo -F depends "$module" | tr , '\n' | sed -n "s/..*/& $name/p"
    for wanted in $(modinfo -F softdep "$module" | sed -n 's/^pre: //p'); do
        awk -v wanted="$wanted" -v name="$name" '$1 == wanted { print $2, name; exit }' "$out/aliases"
    done
done | tr - _ | tsort > "$out/order"
for name in $(cat "$out/order"); do
    basename -s .ko $modules | grep -x "${name//_/[-_]}"
done > "$out/modules"
"$build/usr/gen_init_cpio" "$out/list" > "$out/initrd"
# Without no_timer_check a busy host, which emulates a timer late, is a panic.
timeout 300 qemu-system-x86_64 -accel tcg -cpu max -m 256 -nographic -nodefaults -serial stdio -no-reboot \
    -kernel "$build/arch/x86/boot/bzImage" -initrd "$out/initrd" -append "console=ttyS0 panic=-1 no_timer_check" \
    < /dev/null > "$out/console" 2>&1 || true
tr -d '\r' < "$out/console" | sed -n 's/.*elfgraft-boot: //p' > "$out/said"
expected=$((2 + 2 * $(wc -l < "$out/modules")))
if [ "$(grep -c ': ok$' "$out/said")" != "$expected" ] || [ "$(tail -n 1 "$out/said")" != end ]; then
    tail -n 40 "$out/console" >&2
    echo "$build: not booted as expected; console in $out/console" >&2
    exit 1
fi
echo "$build: booted, $(wc -l < "$out/modules") modules loaded"
