#!/bin/bash
# Hashing all modules of a directory: elfgraft module-hashes build, sha256sum in parallel, and openssl's own speed.
#
#   scripts/bench-hashes.sh [DIR]     # DIR with *.ko; without it copies of testdata's modules
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
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

seconds() { # the best of five runs
    for _ in 1 2 3 4 5; do
        local from=${EPOCHREALTIME/,/.}
        "$@" > "$work/out"
        echo "${EPOCHREALTIME/,/.} $from" | awk '{ print $1 - $2 }'
    done | sort -n | head -n 1
}
ours() { "$elfgraft" module-hashes build --modules-order "$work/modules.order" --root "$work/root" --endian little; }
theirs() { xargs -0 -P "$(nproc)" -n 16 sha256sum < "$work/files"; }
a=$(seconds ours)
b=$(seconds theirs)
awk "BEGIN { printf \"%d modules, %.1f MB: elfgraft %.3f s (%.0f MB/s), sha256sum in parallel %.3f s, ratio %.2f\n\",
     $(grep -c . "$work/modules.order"), $bytes / 1e6, $a, $bytes / 1e6 / $a, $b, $a / $b }"
if command -v openssl > "$work/out"; then
    speed=$(openssl speed -evp sha256 -bytes 16384 -seconds 1 2> "$work/out" | awk 'END { sub("k", "", $NF); print $NF / 1000 }')
    awk "BEGIN { printf \"openssl speed -evp sha256, 16 kB blocks: %.0f MB/s on one core; elfgraft has %.2f of it per core\n\",
         $speed, $bytes / 1e6 / $a / $(nproc) / $speed }"
fi
