#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
#
# Makes the inputs of the tests again from src/.
#
#   regen.sh           build, and replace the files here
#   regen.sh --check   build, and fail if a file here differs
#
# The same tools give the same bytes, wherever and whenever this runs.
set -euo pipefail
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=0
umask 022

here=$(cd "$(dirname "$0")" && pwd)
mode=${1:-}
case $mode in '' | --check) ;; *) echo "usage: regen.sh [--check]" >&2; exit 2 ;; esac

# One machine each: name for the file, then the compiler and its flags.
machines=(
	"x86_64 gcc"
	"x32 gcc -mx32"
	"i386 gcc -m32"
	"s390x s390x-linux-gnu-gcc"
	"arm arm-linux-gnueabi-gcc"
	"mips mips-linux-gnu-gcc"
	"mips64el mips64el-linux-gnuabi64-gcc"
	"powerpc powerpc-linux-gnu-gcc"
	"riscv64 riscv64-linux-gnu-gcc"
)

missing=
for tool in gcc ld objcopy strip clang ld.lld llvm-objcopy pahole python3 "${machines[@]}"; do
	case $tool in *' '*) tool=${tool#* } tool=${tool%% *} ;; esac
	command -v "$tool" >/dev/null || missing+=" $tool"
done
[ -z "$missing" ] || { echo "regen.sh: not installed:$missing" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/src/* "$work"
mkdir "$work/out"
cd "$work"
out=out
tool() { python3 -B "$here/tools/$1.py" "${@:2}"; }

paths=(-ffile-prefix-map="$work"=.)
freestanding=(-ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables)
kernel=(-O2 -g -fno-pie -mcmodel=kernel -fcf-protection=none -Wall -Wextra -Wno-missing-field-initializers
	"${freestanding[@]}" "${paths[@]}")
encode() { pahole -J --btf_gen_floats --btf_encode_detached="$1" "${@:2}"; }

# ---- vmlinux: linked, encoded, linked once more with its BTF ----
# The build ID is given, not computed: it would tell the link with .BTF from the one without.
link_vmlinux() { # OUTPUT OBJECT...
	ld -nostdlib -static -z max-page-size=0x1000 --build-id=0x"$(printf '%040x' 0xe1f)" \
		--no-warn-rwx-segments -z noexecstack -T vmlinux.lds -o "$1" "${@:2}"
}
objects=()
for part in core ids builtin; do
	gcc "${kernel[@]}" -c "kernel_$part.c" -o "kernel_$part.o"
	objects+=("kernel_$part.o")
done
gcc "${kernel[@]}" -c kernel_extra.c -o kernel_extra.o

link_vmlinux vmlinux1 "${objects[@]}"
encode $out/vmlinux.btf vmlinux1
as -o btf.o /dev/null
objcopy --add-section .BTF=$out/vmlinux.btf --set-section-flags .BTF=alloc,readonly btf.o
objcopy --only-section=.BTF --strip-all btf.o
link_vmlinux $out/vmlinux "${objects[@]}" btf.o
link_vmlinux vmlinux-relocs --emit-relocs "${objects[@]}" btf.o
strip --strip-debug -o $out/vmlinux-relocs vmlinux-relocs
tool ids table $out/vmlinux $out/vmlinux.btf >$out/vmlinux.ids
tool ids upstream $out/vmlinux-relocs $out/vmlinux.btf - $out/vmlinux-upstream-sorted
link_vmlinux vmlinux2 kernel_extra.o "${objects[@]}"
encode $out/vmlinux2.btf vmlinux2

# ---- demo.ko and what tools make of it ----
objects=()
for part in main kfuncs fmt mod; do
	gcc "${kernel[@]}" -fpatchable-function-entry=2 -c "demo_$part.c" -o "demo_$part.o"
	objects+=("demo_$part.o")
done
gcc -Wa,--no-warn -c demo_note.S -o demo_note.o
ld -r --build-id=sha1 -T module.lds -o $out/demo.ko "${objects[@]}" demo_note.o
encode $out/demo.btf --btf_base=$out/vmlinux.btf $out/demo.ko
encode $out/demo2.btf --btf_base=$out/vmlinux2.btf $out/demo.ko
strip --strip-debug -o $out/demo-stripped.ko $out/demo.ko
objcopy --add-section .BTF=$out/demo.btf $out/demo.ko $out/demo-gnu.ko
llvm-objcopy --add-section .BTF=$out/demo.btf $out/demo.ko $out/demo-llvm.ko
tool sign $out/demo-stripped.ko $out/demo-signed.ko
tool ids table $out/demo.ko $out/demo.btf $out/vmlinux.btf >$out/demo.ids
tool ids table $out/demo.ko $out/demo2.btf $out/vmlinux2.btf >$out/demo2.ids
tool ids bytes $out/demo.ko $out/demo.btf $out/vmlinux.btf $out/demo.BTF_ids
tool ids bytes $out/demo.ko $out/demo2.btf $out/vmlinux2.btf $out/demo2.BTF_ids
objcopy --add-section .BTF=$out/demo.btf $out/demo-stripped.ko demo-stripped-btf.ko
tool ids upstream demo-stripped-btf.ko $out/demo.btf $out/vmlinux.btf $out/demo-upstream-sorted.ko
ld.lld -r -o $out/demo-lld.ko "${objects[@]}"

# Other contents of .BTF: the smallest there is, and more than any module here has.
printf 'int x;\n' >small.c
gcc -g "${paths[@]}" -c small.c -o small.o
encode $out/demo-small.btf small.o
for i in $(seq 400); do echo "struct large_$i { int a_$i; struct large_$i *next_$i; } v_$i;"; done >large.c
gcc -g "${paths[@]}" -c large.c -o large.o
encode $out/demo-large.btf large.o

# ---- objects of other compilers, classes, byte orders, machines ----
for machine in "${machines[@]}"; do
	read -r name cc <<<"$machine"
	read -ra cc <<<"$cc"
	cc+=(-O2 -g -gdwarf-4 -fno-pie "${freestanding[@]}" "${paths[@]}")
	"${cc[@]}" -fdebug-types-section -c obj.c -o "$out/obj-$name.o"
	# pahole sees no type units, and libdw no relocations of 64-bit MIPS: encode from an object
	# without the former, linked where the latter matter.
	"${cc[@]}" -c obj.c -o encode.o
	if [ "$name" = mips64el ]; then
		"${cc[0]}" -nostdlib -static -Wl,-e,0,--unresolved-symbols=ignore-all encode.o -o encode.elf
		mv encode.elf encode.o
	fi
	encode "$out/obj-$name.btf" encode.o
	tool ids table "$out/obj-$name.o" "$out/obj-$name.btf" >"$out/obj-$name.ids"
done
clang=(clang -O2 -g -ffreestanding -fdebug-compilation-dir=. "${paths[@]}")
"${clang[@]}" --target=x86_64-linux-gnu -gdwarf-4 -c obj.c -o $out/obj-clang.o
"${clang[@]}" --target=aarch64-linux-gnu -gdwarf-4 -c obj.c -o $out/obj-aarch64.o
ld.lld -r -o $out/obj-lld.o $out/obj-clang.o
gcc -O2 -g3 -gz=zlib "${freestanding[@]}" "${paths[@]}" -c odd_b.c -o $out/obj-compressed.o
"${clang[@]}" --target=x86_64-linux-gnu -fno-asynchronous-unwind-tables -c tagged.c -o $out/tagged.o
encode $out/tagged.btf $out/tagged.o
tool ids table $out/tagged.o $out/tagged.btf >$out/tagged.ids

# ---- unusual .BTF_ids ----
for part in a b; do
	gcc -O2 -g "${freestanding[@]}" "${paths[@]}" -c odd_$part.c -o odd_$part.o
done
ld -r -o odd.ko odd_a.o odd_b.o
encode $out/odd.btf odd.ko
strip --strip-debug -o $out/odd.o odd.ko
tool ids table $out/odd.o $out/odd.btf >$out/odd.ids
gcc -c reloc_into_set.S -o $out/reloc-by-section.o
gcc -DBY_SYMBOL -c reloc_into_set.S -o $out/reloc-by-symbol.o

# ---- live patches ----
gcc -O2 -fno-pie -mcmodel=kernel "${freestanding[@]}" "${paths[@]}" -c livepatch.c -o livepatch.o
tool livepatch livepatch.o $out/livepatch.ko patch_target
gcc -DONLY -O2 -fno-pie -mcmodel=kernel "${freestanding[@]}" "${paths[@]}" -c livepatch.c -o livepatch.o
tool livepatch livepatch.o $out/livepatch-only.ko patch_target

# ---- programs and libraries ----
page=(-z max-page-size=0x1000)
gcc -O1 -g -fno-pie "${freestanding[@]}" "${paths[@]}" -c hello.c -o hello.o
ld -static --build-id=none "${page[@]}" -o $out/hello hello.o
ld.lld -static --build-id=none -o $out/hello-lld hello.o
gcc -O1 -g -fPIC "${freestanding[@]}" "${paths[@]}" -c lib.c -o lib.o
ld -shared --build-id=none --hash-style=both --emit-relocs "${page[@]}" -z noseparate-code -o $out/libdemo.so lib.o
ld.lld -shared --build-id=none -o $out/libdemo-lld.so lib.o

chmod 644 $out/*
chmod 755 $out/hello $out/hello-lld
if [ "$mode" = --check ]; then
	status=0
	for file in $out/*; do
		cmp "$file" "$here/${file#"$out"/}" || status=1
	done
	exit $status
fi
cp -p $out/* "$here"
