#!/bin/bash
# The main job, shown on a module: set .BTF, again, another, back, remove. `make demo` builds and runs it.
#
#   scripts/demo.sh [MODULE [BTF]]
#
# Works on a copy. Exit status 1 if anything is not as it says.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
elfgraft=$(realpath -- "${CARGO_TARGET_DIR:-$root/target}/release/elfgraft")
module=${1:-$root/testdata/demo.ko}
btf=${2:+$(realpath -- "$2")}
other=$root/testdata/demo-large.btf

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

bold='' plain=''
if [ -t 1 ]; then bold=$(tput bold 2>/dev/null || true) plain=$(tput sgr0 2>/dev/null || true); fi
title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
run() { printf '  $ %s\n' "$*"; "$@" 2>&1 | sed 's/^/    /'; }
sum() { sha256sum "$1" | cut -c1-16; }
bytes() { stat -c %s "$1"; }
# state WHAT FILE [EXPECTED]: the file's hash, compared with an earlier one.
state() {
    local now verdict=''
    now=$(sum "$2")
    if [ -n "${3:-}" ]; then
        if [ "$now" = "$3" ]; then verdict="= $1"; else verdict="NOT $1: expected $3"; failed=1; fi
    else
        verdict="($1)"
    fi
    printf '    %s bytes, sha256 %s  %s\n' "$(bytes "$2")" "$now" "$verdict"
}
failed=0

mkdir "$dir/work"
cp -- "$module" "$dir/work/demo.ko"
chmod u+w "$dir/work/demo.ko"
cd "$dir/work"
PATH=$(dirname "$elfgraft"):$PATH

title "A copy of $module"
about=$(elfgraft show demo.ko)
echo "    ${about%%$'\n'*}"

signed=() present=
if grep -q '^  appended ' <<<"$about"; then
    echo "    It is signed, and any change breaks a signature: elfgraft refuses without --drop-signature."
    signed=(--drop-signature)
fi
if grep -q '^  \[ *[0-9]*\] \.BTF ' <<<"$about"; then
    echo "    It has .BTF already. We begin without it, and set those contents."
    present=yes
    [ -n "$btf" ] || { elfgraft dump .BTF="$dir/own.btf" demo.ko; btf=$dir/own.btf; }
fi
[ -z "$present${signed[*]}" ] || run elfgraft remove -v "${signed[@]}" .BTF demo.ko
cp -- "${btf:-$root/testdata/demo.btf}" a.btf
cp -- "$other" b.btf
cp demo.ko original.ko
state 'the original' demo.ko
original=$(sum demo.ko)

title "1. The plan: what would be kept, what written. Nothing is written yet."
run elfgraft set --dry-run .BTF=a.btf demo.ko

title "2. Set .BTF"
run elfgraft set -v .BTF=a.btf demo.ko
state 'with .BTF' demo.ko
first=$(sum demo.ko)

title "3. The same again: the same bytes"
run elfgraft set -v .BTF=a.btf demo.ko
state 'as in step 2' demo.ko "$first"

title "4. Other contents ($(bytes b.btf) bytes instead of $(bytes a.btf)), and back"
run elfgraft set -v .BTF=b.btf demo.ko
state 'with other .BTF' demo.ko
run elfgraft set -v .BTF=a.btf demo.ko
state 'as in step 2' demo.ko "$first"

title "5. Remove it: the original, byte for byte"
run elfgraft remove -v .BTF demo.ko
state 'the original' demo.ko "$original"

# How many sections named .BTF, and whether a removal gives the original back.
judge() {
    local number
    number=$(elfgraft show "$1" | grep -c '^  \[ *[0-9]*\] \.BTF ' || true)
    printf '    %s section(s) named .BTF' "$number"
    "$2" --remove-section .BTF "$1" 2>/dev/null
    if cmp -s "$1" original.ko; then echo "; removed, the original is back"
    else echo "; removed, $(bytes "$1") bytes, of which $(cmp -l "$1" original.ko 2>/dev/null | wc -l || true) differ from the original"; fi
}
for tool in objcopy llvm-objcopy; do
    if ! command -v "$tool" >/dev/null; then
        title "For comparison: $tool is not installed"
        continue
    fi
    title "For comparison: $("$tool" --version | grep -m1 -i objcopy || echo "$tool") (step 2, step 3)"
    cp original.ko peer.ko
    for _ in 1 2; do
        echo "  \$ $tool --add-section .BTF=a.btf peer.ko"
        if said=$("$tool" --add-section .BTF=a.btf peer.ko 2>&1); then echo "    exit 0"
        else echo "    exit $?: ${said##*$'\n'}"; fi
    done
    judge peer.ko "$tool"
done

echo
if [ "$failed" = 0 ]; then echo "Everything was as it should be."; else echo "SOMETHING WAS NOT AS IT SHOULD BE."; fi
exit "$failed"
