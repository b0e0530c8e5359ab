#!/bin/bash
# Two release builds in two directories of different names must be the same bytes.
set -e
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for dir in one another/directory; do
    mkdir -p "$tmp/$dir"
    git ls-files -z --cached --others --exclude-standard | tar --null --files-from - -c | tar -x -C "$tmp/$dir"
    (cd "$tmp/$dir" && env -u CARGO_TARGET_DIR make --no-print-directory build) >&2
    sha256sum <"$tmp/$dir/target/release/elfgraft"
    if grep -q -a -F -e "$tmp" -e "${CARGO_HOME:-$HOME/.cargo}" "$tmp/$dir/target/release/elfgraft"; then
        echo "reproducible.sh: the binary names directories of this machine" >&2
        exit 1
    fi
done >"$tmp/sums"
cat "$tmp/sums"
[ "$(sort -u "$tmp/sums" | grep -c -- -)" = 1 ] || { echo "reproducible.sh: two builds differ" >&2; exit 1; }
echo "reproducible.sh: two builds in two directories are the same bytes"
