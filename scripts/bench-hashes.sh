#!/bin/bash
# Hashing all modules of a directory: elfgraft module-hashes build; sha256sum and openssl over the same files in parallel,
# in turns; and openssl's own speed without files. On a busy machine: chrt -f 1 scripts/bench-hashes.sh
#
#   scripts/bench-hashes.sh [DIR]     # DIR with *.ko; without it copies of testdata's modules
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/scripts/bench-measure.sh"
elfgraft=$(realpath -- "${CARGO_TARGET_DIR:-$root/target}/release/elfgraft")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -n "${1:-}" ]; then
    modules=$(realpath -- "$1")
else
    modules=$work/modules
    mkdir "$modules"
    for n in $(seq 500); do cp "$root/testdata/demo.ko" "$modules/$n.ko"; done
fi
cd "$modules"
find . -maxdepth 1 -name '*.ko' | sed 's/\.ko$/.o/' | sort > "$work/modules.order"
sed 's/\.o$/.ko/' "$work/modules.order" | tr '\n' '\0' > "$work/files"
bytes=$(xargs -0 stat -L -c %s < "$work/files" | awk '{ n += $1 } END { print n }')

processors=$(nproc) count=$(grep -c . "$work/modules.order")
share=$(((count + processors - 1) / processors)) # one process each: starting them is not what is measured
ours() { "$elfgraft" module-hashes build --modules-order "$work/modules.order" --root "$work/root" --endian little; }
coreutils() { xargs -0 -P "$processors" -n "$share" sha256sum < "$work/files"; }
openssl_dgst() { xargs -0 -P "$processors" -n "$share" openssl dgst -sha256 < "$work/files"; }

rows=(ours coreutils)
command -v openssl >/dev/null && rows+=(openssl_dgst)
for _ in $(seq "${ROUNDS:-9}"); do
    for row in "${rows[@]}"; do
        from=${EPOCHREALTIME/[.,]/}
        "$row" > "$work/out"
        echo "$((${EPOCHREALTIME/[.,]/} - from))" >> "$work/times.$row"
    done
done
first=$(median "$work/times.ours")
echo "$count modules, $bytes bytes, $processors processors, load $(cut -d' ' -f1-3 /proc/loadavg)"
for row in "${rows[@]}"; do
    median "$work/times.$row" | awk -v row="$row" -v bytes="$bytes" -v first="$first" \
        '{ printf "  %-14s %9.2f ms %6.0f MB/s %6.2f x\n", row, $1 / 1000, bytes / $1, $1 / first }'
done
if command -v openssl >/dev/null; then
    speed=$(openssl speed -evp sha256 -bytes 16384 -seconds 1 2> "$work/out" | awk 'END { sub("k", "", $NF); print $NF / 1000 }')
    awk "BEGIN { printf \"  openssl speed -evp sha256, 16 kB blocks, no files: %.0f MB/s on one core; ours: %.2f of it per core\n\",
         $speed, $bytes / $first / $processors / $speed }"
fi
