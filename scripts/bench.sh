#!/bin/bash
# Times elfgraft side by side with GNU objcopy, llvm-objcopy and cp. `make bench` builds and runs it.
#
#   scripts/bench.sh [MODULE [VMLINUX]]
#
# MODULE stands for the module of 1 MB, VMLINUX for the kernel of 300 MB or more; without them one is made from testdata:
# its .debug_str gets random bytes. ROUNDS=n repeats the measurements (default 5): what is compared runs in turns within
# a round, and the medians of the rounds are told. BENCH_DIR is where files are written (default: a directory in TMPDIR);
# it needs three times the size of VMLINUX. Uses hyperfine if it is installed, else a loop of its own.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
elfgraft=$(realpath -- "${CARGO_TARGET_DIR:-$root/target}/release/elfgraft")
module=${1:+$(realpath -- "$1")}
vmlinux=${2:+$(realpath -- "$2")}
rounds=${ROUNDS:-5}

dir=$(mktemp -d -p "${BENCH_DIR:-${TMPDIR:-/tmp}}")
trap 'rm -rf "$dir"' EXIT
cd "$dir"
missed=0
. "$root/scripts/bench-measure.sh"

# --- Measuring ---------------------------------------------------------------------------------------------------

# memory NAME COMMAND: peak resident memory with the mapped pages of files, and the least limit on private memory
# (RLIMIT_DATA) under which the command still works.
memory() {
    local rss='?' limit
    sh -c "$swap"
    if have /usr/bin/time; then rss=$(/usr/bin/time -f %M $2 2>&1 >/dev/null | tail -n 1); fi
    for limit in 1 2 4 8 16 64 256 1024 4096; do
        sh -c "$swap"
        if bash -c "ulimit -d $((limit * 1024)); $2; exit" >/dev/null 2>&1; then break; fi
    done
    printf '  %-52s %8s kB resident; works with %s MB of private memory\n' "$1" "$rss" "$limit"
}

# --- Inputs ------------------------------------------------------------------------------------------------------

cp "$root/testdata/demo.btf" a.btf
cp "$root/testdata/demo2.btf" b.btf
cp "$root/testdata/demo.ko" small.ko
"$elfgraft" set .BTF=b.btf small.ko
if [ -n "$module" ]; then cp -- "$module" large.ko; else
    head -c 1000000 /dev/urandom >random
    "$elfgraft" set -o large.ko .debug_str=random small.ko
fi
chmod u+w large.ko
"$elfgraft" set --drop-signature .BTF=b.btf large.ko 2>/dev/null
if [ -z "$vmlinux" ]; then
    head -c 300000000 /dev/urandom >random
    "$elfgraft" set -o made-vmlinux .debug_str=random "$root/testdata/vmlinux"
    vmlinux=$dir/made-vmlinux
fi
rm -f random
ln -s "$vmlinux" vmlinux
"$elfgraft" dump .BTF_ids=ids.a vmlinux
tr '\000-\377' '\001-\377\000' <ids.a >ids.b
# The two are exchanged before every run, so that no run finds its work done.
swap='mv ids.a ids.c; mv ids.b ids.a; mv ids.c ids.b'

echo "date:     $(date +%F), load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "machine:  $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(uname -sr)"
echo "files on: $(stat -f -c %T .)"
echo "harness:  $harness; medians of $rounds rounds"
echo "elfgraft: $("$elfgraft" --version)"
for tool in objcopy llvm-objcopy cp; do
    have "$tool" || continue
    version=$("$tool" --version)
    echo "$tool: $(grep -m 1 -iE 'version|objcopy|coreutils' <<<"$version" | head -n 1) $(grep -m 1 'LLVM version' <<<"$version" || true)"
done

# --- Modules -----------------------------------------------------------------------------------------------------

for file in small.ko large.ko; do
    fresh="cp $file x.ko"
    add 'elfgraft set .BTF=F' "$fresh" "$elfgraft set .BTF=a.btf x.ko"
    add 'elfgraft set .BTF=F, nothing to change' "$fresh" "$elfgraft set .BTF=b.btf x.ko"
    add 'elfgraft objcopy -R .BTF --add-section .BTF=F' "$fresh" "$elfgraft objcopy -R .BTF --add-section .BTF=a.btf x.ko"
    for tool in objcopy llvm-objcopy; do
        have "$tool" || continue
        add "$tool -R .BTF --add-section .BTF=F" "$fresh" "$tool -R .BTF --add-section .BTF=a.btf x.ko"
        add "$tool -R .BTF, then --add-section" "$fresh" \
            "sh -c '$tool -R .BTF x.ko && $tool --add-section .BTF=a.btf x.ko'"
    done
    add 'cp' 'rm -f x.ko' "cp $file x.ko"
    add '/bin/true' "$fresh" /bin/true
    measure 40 "A module of $(size $file) bytes whose .BTF is replaced"
    if [ "$file" = small.ko ] && have objcopy; then
        target 'setting .BTF, to objcopy removing and adding it' 0 3 1
    fi
done

# --- vmlinux -----------------------------------------------------------------------------------------------------

cp --reflink=auto vmlinux y
chmod u+w y
update="objcopy --update-section .BTF_ids=ids.a"
# What is prepared leaves its traces in the processor's caches, so /bin/true gets the same.
add '/bin/true' "$swap" /bin/true
add 'elfgraft objcopy --update-section .BTF_ids=F --in-place' "$swap" "$elfgraft $update --in-place y"
add '... the same again: nothing to change' : "$elfgraft $update --in-place y"
measure 100 "A kernel of $(size vmlinux) bytes whose .BTF_ids ($(size ids.a) bytes) is updated in place"
target 'in place, to /bin/true' 1 0 3

add 'cp --reflink=auto' 'rm -f out' 'cp --reflink=auto vmlinux out'
add 'elfgraft objcopy --update-section .BTF_ids=F' "rm -f out; $swap" "$elfgraft $update vmlinux out"
add 'elfgraft objcopy --add-section .new=F' 'rm -f out' "$elfgraft objcopy --add-section .new=a.btf vmlinux out"
for tool in objcopy llvm-objcopy; do
    have "$tool" || continue
    add "$tool --update-section .BTF_ids=F" "rm -f out; $swap" "$tool --update-section .BTF_ids=ids.a vmlinux out"
done
measure 1 'The same into another file'
target 'update, to cp' 1 0 1.15
target 'addition, to cp' 2 0 1.15

echo
echo "Memory, on the kernel"
memory 'elfgraft, in place' "$elfgraft $update --in-place y"
memory 'elfgraft, update into another file' "$elfgraft $update vmlinux out"
memory 'elfgraft, addition into another file' "$elfgraft objcopy --add-section .new=a.btf vmlinux out"
for tool in objcopy llvm-objcopy; do
    ! have "$tool" || memory "$tool, update into another file" "$tool --update-section .BTF_ids=ids.a vmlinux out"
done
exit "$missed"
