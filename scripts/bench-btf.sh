#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Times `elfgraft btf embed` against what the kernel's build runs for each module, both measured in turns in one run.
#
#   scripts/bench-btf.sh [VMLINUX MODULE.ko...]
#
# VMLINUX and its modules, as a distribution ships them (the first of them that has .BTF_ids is the single module); without
# them testdata's, copied as often as needed. COUNT=n modules in the batch (default 1000), ROUNDS=n (default 3).
# Needs GNU objcopy. The kernel's tool is timed as well where RESOLVE_BTFIDS=path names it, or
# KERNEL_SOURCE=dir is a kernel's source to build it from (libelf's and zlib's headers are needed; nothing is written there).
#
# "As the build does": objcopy adds .BTF, objcopy writes .BTF_ids, and a third process patches the file. That third one
# is dd here, which costs less than any tool that looks into the file.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
elfgraft=$(realpath -- "${CARGO_TARGET_DIR:-$root/target}/release/elfgraft")
count=${COUNT:-1000} rounds=${ROUNDS:-3} resolve=${RESOLVE_BTFIDS:-}
. "$root/scripts/bench-measure.sh"
for tool in objcopy readelf; do
    have $tool || { echo "bench-btf.sh: $tool is not installed" >&2; exit 1; }
done

dir=$(mktemp -d -p "${BENCH_DIR:-${TMPDIR:-/tmp}}")
trap 'rm -rf "$dir"' EXIT
missed=0
if [ -z "$resolve" ] && [ -n "${KERNEL_SOURCE:-}" ]; then
    mkdir "$dir/tool"
    make -s -C "$KERNEL_SOURCE/tools/bpf/resolve_btfids" OUTPUT="$dir/tool/" >"$dir/tool.log" 2>&1 ||
        { cat "$dir/tool.log" >&2; exit 1; }
    resolve=$dir/tool/resolve_btfids
fi
if [ $# -ge 2 ]; then
    # Those that have .BTF_ids first: they are few.
    vmlinux=$(realpath -- "$1")
    mapfile -t modules < <(grep -lF .BTF_ids -- "${@:2}"; grep -LF .BTF_ids -- "${@:2}")
else
    vmlinux=$root/testdata/vmlinux modules=("$root/testdata/demo-gnu.ko")
fi

# --- Inputs: modules without .BTF, their .BTF and resolved .BTF_ids beside them --------------------------------------

mkdir "$dir/fresh" "$dir/btf"
n=0
while [ $n -lt "$count" ]; do
    for module in "${modules[@]}"; do
        [ $n -lt "$count" ] || break
        cp -- "$module" "$dir/fresh/$n.ko"
        n=$((n + 1))
    done
done
chmod u+w "$dir"/fresh/*
cd "$dir/fresh"
for file in *.ko; do "$elfgraft" dump .BTF="../btf/$file.BTF" "$file"; done
"$elfgraft" remove --drop-signature .BTF ./*.ko 2>/dev/null
cp -r . ../done
cd ../done
"$elfgraft" btf embed --raw --btf '../btf/{}.BTF' --btf-base "$vmlinux" *.ko 2>/dev/null
one=
for file in *.ko; do
    readelf -SW "$file" | grep -F ' .BTF_ids ' >/dev/null || continue
    "$elfgraft" dump .BTF_ids="../btf/$file.BTF_ids" "$file"
    one=${one:-$file}
done
cd "$dir"
[ -n "$one" ] || { echo "bench-btf.sh: no module has .BTF_ids" >&2; exit 1; }
"$elfgraft" dump .BTF=base "$vmlinux"

# As the build does, for the module $1. dd writes the words once more, where they are.
cat >single <<END
#!/bin/sh
f=\$1 b=$dir/btf/\$(basename "\$1")
objcopy --add-section .BTF="\$b.BTF" "\$f"
if [ -e "\$b.BTF_ids" ]; then objcopy --update-section .BTF_ids="\$b.BTF_ids" "\$f"; else objcopy "\$f"; fi
dd if="\$f" of="\$f" bs=64 count=1 conv=notrunc status=none
END
# The same with the kernel's tool, which reads the base for every module.
cat >kernel <<END
#!/bin/sh
objcopy --add-section .BTF=$dir/btf/\$(basename "\$1").BTF "\$1"
$resolve -b $vmlinux "\$1"
END
chmod +x single kernel

# --- Measuring ---------------------------------------------------------------------------------------------------

# compare RUNS PREPARE TITLE NAME COMMAND NAME COMMAND...
compare() {
    local runs=$1 prepare=$2 title=$3
    shift 3
    while [ $# -gt 0 ]; do add "$1" "$prepare" "$2"; shift 2; done
    measure "$runs" "$title"
}

echo "date:     $(date +%F), load $(cut -d' ' -f1-3 /proc/loadavg)"
echo "machine:  $(nproc) x $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1), $(uname -sr)"
echo "files on: $(stat -f -c %T .)"
echo "base:     .BTF of $(basename "$vmlinux"), $(stat -c %s base) bytes"
echo "elfgraft: $("$elfgraft" --version)"
echo "objcopy:  $(objcopy --version | sed -n 1p)"

embed="$elfgraft btf embed --raw --btf $dir/btf/$one.BTF"
rows=('elfgraft btf embed' "$embed --btf-base $dir/base x/$one"
    '... base read out of vmlinux' "$embed --btf-base $vmlinux x/$one"
    'objcopy, objcopy, cp' "sh -c 'objcopy --add-section .BTF=btf/$one.BTF x/$one && objcopy --update-section .BTF_ids=btf/$one.BTF_ids x/$one && cp x/$one out'"
    'as the build does: objcopy, objcopy, patch' "$dir/single x/$one")
[ -z "$resolve" ] || rows+=('objcopy, resolve_btfids' "$dir/kernel x/$one")
mkdir x
compare 30 "cp fresh/$one x" \
    "One module of $(size "fresh/$one") bytes with .BTF_ids, .BTF of $(size "btf/$one.BTF") bytes" "${rows[@]}"
target 'one module, to objcopy twice and a copy' 0 2 1

# The process alone, on a base that is a vmlinux. A tool before 7.x writes into the module, a later one beside it.
if [ -n "$resolve" ]; then
    args="-b $vmlinux --btf $dir/btf/$one.BTF x/$one"
    compare 30 "cp fresh/$one x" "resolve_btfids of that module, whole process" \
        "elfgraft resolve_btfids" "$elfgraft resolve_btfids $args" \
        "the kernel's resolve_btfids" "$resolve $args"
    target "resolve_btfids, to the kernel's" 0 1 0.3334
fi

mkdir many
title="$count modules, $(du -sk --apparent-size fresh | cut -f1) kB, $(find btf -name '*_ids' | wc -l) with .BTF_ids"
rows=('elfgraft btf embed, one call' "sh -c 'cd many && exec $elfgraft btf embed --raw --btf ../btf/{}.BTF --btf-base $vmlinux *.ko'"
    '... one call each' "sh -c 'cd many && for f in *.ko; do $elfgraft btf embed --raw --btf ../btf/{}.BTF --btf-base $vmlinux \$f; done'"
    'as the build does, one after the other' "sh -c 'for f in many/*.ko; do $dir/single \$f; done'")
[ -z "$resolve" ] || rows+=('objcopy, resolve_btfids, one after the other' "sh -c 'for f in many/*.ko; do $dir/kernel \$f; done'")
compare 1 'cp fresh/*.ko many' "$title" "${rows[@]}"
target "$count modules, to single runs as the build does" 0 2 0.1
[ -z "$resolve" ] || target "$count modules, to single runs of the kernel's tool" 0 3 0.05
exit $missed
