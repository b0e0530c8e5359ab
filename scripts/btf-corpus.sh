#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# elfgraft's BTF commands on a kernel as a distribution ships it, judged by scripts/btf-reader.py, which shares no code
# with elfgraft (ELF by Python, names of types by bpftool).
#
#   scripts/btf-corpus.sh VMLINUX MODULE.ko...
#
# Only copies are changed, in a directory of TMPDIR. Modules without .BTF_ids are only checked. With pahole, and modules
# that have debug information (those of a -dbg package), each is also embedded against a kernel that has changed, and back.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
elfgraft=$(realpath -- "${CARGO_TARGET_DIR:-$root/target}/release/elfgraft")
reader="python3 $root/scripts/btf-reader.py"
[ $# -ge 1 ] || { sed -n 's/^#   //p' "$0"; exit 1; }
vmlinux=$(realpath -- "$1")
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
# Reads all of it: with pipefail, what grep -q does not read would fail readelf.
has() { readelf -SW "$1" | grep -F " $2 " >/dev/null; }
say() { printf '%-26s %s\n' "${1:+$1:}" "$2"; }

# sorted COPY ORIGINAL BASE SORT...: what `sort` did to a copy, then that `resolve` and a second `sort` do nothing.
sorted() {
    local copy=$1 original=$2 base=$3
    shift 3
    say "$(basename "$copy")" "before: $($reader symbols "$original" $base)"
    $reader entries "$original" $base >"$dir/before"
    "$elfgraft" "$@" "$copy" 2>/dev/null
    say '' "after:  $($reader symbols "$copy" $base)"
    say '' "changed: $($reader changed "$copy" "$original")"
    $reader entries "$copy" $base | cmp - "$dir/before" || fail "IDs or flags have changed"
    "$elfgraft" btf-ids check ${base:+--btf-base "$base"} "$copy" >/dev/null || fail "check finds something"
    cp "$copy" "$dir/once"
    "$elfgraft" btf-ids resolve ${base:+--btf-base "$base"} "$copy" 2>/dev/null
    cmp "$copy" "$dir/once" || fail "resolve after sort changes something"
    "$elfgraft" btf-ids sort ${base:+--btf-base "$base"} "$copy"
    cmp "$copy" "$dir/once" || fail "sort after sort changes something"
}

cp --reflink=auto -- "$vmlinux" "$dir/vmlinux"
chmod u+w "$dir/vmlinux"
sorted "$dir/vmlinux" "$vmlinux" '' btf-ids sort --in-place

# A kernel that has changed: one type and one string more, before all others of their kind.
"$elfgraft" dump .BTF="$dir/base" "$vmlinux"
python3 - "$dir/base" "$dir/base2" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
order = "<" if data[0] == 0x9F else ">"
header = struct.unpack_from(order + "HBBIIIII", data)
start = header[3]
types = data[start + header[4] :][: header[5]]
strings = data[start + header[6] :][: header[7]] + b"one_type_more\0"
types += struct.pack(order + "IIII", header[7], 1 << 24, 4, 32)
new = struct.pack(order + "HBBIIIII", *header[:3], 24, 0, len(types), len(types), len(strings))
open(sys.argv[2], "wb").write(new + types + strings)
END

checked=0 found=0
for module; do
    checked=$((checked + 1))
    has "$module" .BTF_ids || continue
    copy=$dir/$(basename "$module")
    cp -- "$module" "$copy"
    sorted "$copy" "$module" "$dir/base" btf-ids sort --drop-signature --btf-base "$dir/base"
    has "$module" .debug_info && command -v pahole >/dev/null || continue

    # Its BTF for the kernel that has changed, and again for the one it was built for.
    for n in '' 2; do pahole -J --btf_base="$dir/base$n" --btf_encode_detached="$dir/btf$n" "$module"; done
    cp "$copy" "$dir/sorted"
    "$elfgraft" btf embed --raw --btf "$dir/btf" --btf-base "$dir/base" "$copy"
    cp "$copy" "$dir/a"
    "$elfgraft" btf embed --raw --btf "$dir/btf2" --btf-base "$dir/base2" --old-btf-base "$dir/base" "$copy"
    say '' "changed kernel: $($reader symbols "$copy" "$dir/base2")"
    names() { $reader entries "$@" | awk '{ print $1, $2, $4, $5, $6 }' | sort; }
    diff <(names "$copy" "$dir/base2") <(names "$dir/sorted" "$dir/base") || fail "flags of another kfunc"
    "$elfgraft" btf-ids check --btf-base "$dir/base2" "$copy" >/dev/null || fail "check finds something"
    "$elfgraft" btf embed --raw --btf "$dir/btf" --btf-base "$dir/base" --old-btf-base "$dir/base2" "$copy"
    cmp "$copy" "$dir/a" || fail "there and back is not where it was"
done
[ $# = 0 ] || {
    for n in '' 2; do
        # Without findings in .BTF_ids, which modules as they are shipped have.
        found=$("$elfgraft" btf-ids check --btf-base "$dir/base$n" "$@" 2>/dev/null | grep -c '\[bad-btf\]' || true)
        say "modules${n:+, changed kernel}" "$found of $checked have BTF that does not fit"
    done
}
