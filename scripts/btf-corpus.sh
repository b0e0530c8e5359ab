#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# elfgraft's BTF commands on a kernel as a distribution ships it, judged by scripts/btf-reader.py, which shares no code
# with elfgraft (ELF by Python, names of types by bpftool).
#
#   scripts/btf-corpus.sh VMLINUX MODULE.ko...
#
# Only copies are changed, in a directory of TMPDIR. Modules without .BTF_ids are only checked. With pahole, and modules
# that have debug information (those of a -dbg package), each is also embedded against a kernel that has changed, and back;
# a VMLINUX with debug information gets pahole's BTF of it (a minute) through resolve_btfids.
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

# names COPY BASE: the entries of all sets by kind, name and flags, without their IDs.
names() { $reader entries "$@" | awk '{ print $1, $2, $4, $5, $6 }' | sort; }

if has "$vmlinux" .debug_info && command -v pahole >/dev/null; then
    cp --reflink=auto -- "$vmlinux" "$dir/v"
    chmod u+w "$dir/v"
    names "$dir/v" >"$dir/names"
    pahole -F dwarf -J --btf_gen_floats --lang_exclude=rust --btf_encode_detached="$dir/pahole" "$dir/v"
    # pahole may have said so in the file as well.
    cp --reflink=auto -- "$vmlinux" "$dir/v"
    chmod u+w "$dir/v"
    if [ "$(stat -c %s "$dir/pahole")" = "$("$elfgraft" dump .BTF=/dev/stdout "$dir/v" | wc -c)" ]; then
        for round in 1 2; do
            "$elfgraft" resolve_btfids --btf "$dir/pahole" "$dir/v" 2>/dev/null
            "$elfgraft" set --in-place .BTF="$dir/v.BTF" "$dir/v"
            "$elfgraft" resolve_btfids --patch_btfids "$dir/v.BTF_ids" "$dir/v"
            [ $round = 1 ] || cmp "$dir/v" "$dir/v.1" || fail "a second run gives other bytes"
            cp --reflink=auto "$dir/v" "$dir/v.1"
        done
        names "$dir/v" | cmp - "$dir/names" || fail "names or flags have changed"
        say 'through pahole' "$($reader symbols "$dir/v"); $(wc -l <"$dir/names") entries keep name and flags"
    else
        say 'through pahole' "skipped: this pahole makes BTF of another size than the one that was linked in"
    fi
    rm -f "$dir"/v "$dir"/v.*
fi

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
