#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Stripping: time and peak memory of elfgraft, GNU's and LLVM's tools, in turns in one run. `make bench` runs it.
#
#   scripts/bench-strip.sh [MODULE [VMLINUX]]
#
# MODULE is a module with debugging information, or testdata's; if it is smaller than 95 MB, copies of it are linked (ld -r)
# until it is as large. VMLINUX is a kernel linked with --emit-relocs; without it, or if it has no relocations, an image
# of three copies of that module is linked with them. ROUNDS=n (default 5), BENCH_DIR as in bench.sh.
# On a busy machine: chrt -f 1 scripts/bench-strip.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
elfgraft=$(realpath -- "${CARGO_TARGET_DIR:-$root/target}/release/elfgraft")
module=$(realpath -- "${1:-$root/testdata/demo.ko}")
vmlinux=${2:+$(realpath -- "$2")}
rounds=${ROUNDS:-5}
missed=0
. "$root/scripts/bench-measure.sh"
have ld || { echo "bench-strip.sh: ld is not installed, strip is not measured" >&2; exit 0; }

dir=$(mktemp -d -p "${BENCH_DIR:-${TMPDIR:-/tmp}}")
trap 'rm -rf "$dir"' EXIT
cd "$dir"

# resident COMMAND: the peak resident size in kB. Pages of the mapped input count, which the page cache has anyway.
resident() { sh -c "exec /usr/bin/time -f %M -o peak $1" >/dev/null 2>&1 && tail -n 1 peak; }

# private COMMAND: the least limit on private memory (RLIMIT_DATA), of some, in MB, with which it works.
private() {
    local limit
    for limit in 1 2 3 4 6 8 10 12 16 20 24 32 48 64 96 128 192 256 384 512 768 1024 1536 2048 4096; do
        if bash -c "ulimit -c 0 -d $((limit * 1024)); $1; exit" >/dev/null 2>&1; then break; fi
    done
    echo $limit
}

# memory NAME COMMAND...: both; the first is to need the least private memory.
memory() {
    [ -x /usr/bin/time ] || { echo "  peak memory: /usr/bin/time is not installed"; return 0; }
    local ours='' first='' kB mb
    while [ $# -gt 0 ]; do
        kB=$(resident "$2") mb=$(private "$2")
        first=${first:-$kB} ours=${ours:-$mb}
        awk -v name="$1" -v m="$kB" -v base="$first" -v mb="$mb" \
            'BEGIN { printf "  %-52s %7d kB resident %8.2f x; works with %d MB private\n", name, m, m / base, mb }'
        if [ "$mb" -lt "$ours" ]; then
            echo "  target: private memory, at most that of $1: MISSED"
            missed=1
        fi
        shift 2
    done
}

# compare RUNS TITLE NAME COMMAND...: both measurements of commands, of which the first is ours.
compare() {
    local runs=$1 title=$2 row rows=()
    shift 2
    local all=("$@")
    while [ $# -gt 0 ]; do
        rows+=("$1")
        add "$1" 'rm -f out' "$2"
        shift 2
    done
    measure "$runs" "$title"
    for ((row = 1; row < ${#rows[@]}; row++)); do target "time, to ${rows[row]}" 0 "$row" 1; done
    memory "${all[@]}"
}

# --- Inputs ------------------------------------------------------------------------------------------------------

least=95000000
cp -- "$module" large.ko
while [ "$(size large.ko)" -lt $least ]; do
    copies=$(((least - 1) / $(size large.ko) + 1))
    mapfile -t list < <(yes large.ko | head -n $((copies < 64 ? copies : 64)))
    ld -r -z muldefs -o larger.ko "${list[@]}"
    mv larger.ko large.ko
done
if [ -z "$vmlinux" ] || ! readelf -SW "$vmlinux" | grep -E '\.rela?\.' >/dev/null; then
    ld --emit-relocs -z muldefs --unresolved-symbols=ignore-all -e 0 -o made-vmlinux large.ko large.ko large.ko
    vmlinux=$dir/made-vmlinux
fi

echo
echo "stripping: $(date +%F), load $(cut -d' ' -f1-3 /proc/loadavg), $harness, medians of $rounds rounds, on $(stat -f -c %T .)"
echo "$("$elfgraft" --version); $(strip --version | head -n 1); $(llvm-strip --version 2>/dev/null | grep -o 'LLVM version.*' || true)"

# --- Measuring ---------------------------------------------------------------------------------------------------

rows=("elfgraft strip -g" "$elfgraft strip -g -o out large.ko" "strip -g" "strip -g -o out large.ko")
! have llvm-strip || rows+=("llvm-strip -g" "llvm-strip -g -o out large.ko")
"$elfgraft" strip --drop-signature -g -o out large.ko
compare 5 "strip -g of $(basename "$module") as a module of $(size large.ko) bytes; $(size out) stay" "${rows[@]}"

rows=("elfgraft objcopy -R .rel*" "$elfgraft objcopy -R '.rel*' $vmlinux out" "objcopy -R .rel*" "objcopy -R '.rel*' $vmlinux out")
! have llvm-objcopy || rows+=("llvm-objcopy -R .rel*" "llvm-objcopy -R '.rel*' $vmlinux out")
"$elfgraft" objcopy -R '.rel*' "$vmlinux" out
compare 1 "objcopy -R '.rel*' of $(basename "$vmlinux"), $(size "$vmlinux") bytes; $(size out) stay" "${rows[@]}"
exit "$missed"
