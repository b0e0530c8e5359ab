#!/bin/sh
# Runs resolve_btfids in a copy of every case of DIR/resolve_btfids and compares what it writes with what the kernel's
# tool wrote, byte for byte: files, exit status, messages, and that the input is untouched. Then the same again on what
# came out, embedded and patched: the bytes must not change.
#
#   scripts/golden.sh DIR [ELFGRAFT]
set -u

dir=$(cd "${1:?usage: scripts/golden.sh DIR [ELFGRAFT]}/resolve_btfids" && pwd) || exit 1
elfgraft=$(realpath "${2:-${CARGO_TARGET_DIR:-target}/release/elfgraft}") || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cases=0 wrong=0

fail() { echo "$name: $*"; bad=1; }

# compare WRITTEN EXPECTED: both are there with the same bytes, or neither is.
compare() {
	if [ -e "$2" ]; then cmp -s "$1" "$2" || fail "$(basename "$1") is not $2"
	elif [ -e "$1" ]; then fail "$(basename "$1") is written, $2 is not there"; fi
}

# run ARGS...: as the case's `args` file says, in its folder.
run() { "$elfgraft" resolve_btfids "$@" 2>stderr.out; echo $? >rc.out; }

cp "$dir"/* "$work" 2>/dev/null # the base; folders are not copied
chmod -R u+w "$work"
for case in "$dir"/*/; do
	name=$(basename "$case") bad=0 cases=$((cases + 1))
	cp -r "$case" "$work/$name" && chmod -R u+w "$work/$name" && cd "$work/$name" || exit 1
	args=$(cat args)
	for elf in $args; do :; done # the last argument
	cp "$elf" before

	# The arguments of a case are words without spaces.
	# shellcheck disable=SC2086
	run $args
	cmp -s "$elf" before || fail "$elf was changed"
	[ "$(cat rc.out)" = "$(cat rc)" ] || fail "exit status $(cat rc.out), not $(cat rc)"
	cmp -s stderr.out stderr || fail "stderr: $(cat stderr.out)"
	for suffix in .BTF .BTF_ids .BTF.base; do compare "$elf$suffix" "expected$suffix"; done

	# Embedded as the kernel's build does it, without the base at --patch_btfids; and only patched.
	for embed in yes no; do
		cp before "$elf"
		for suffix in .BTF .BTF.base; do
			if [ $embed = yes ] && [ -e "expected$suffix" ]; then
				"$elfgraft" objcopy --add-section "$suffix=expected$suffix" "$elf" || fail "cannot embed $suffix"
			fi
		done
		if [ -e expected.BTF_ids ]; then
			inode=$(ls -i "$elf")
			run --patch_btfids expected.BTF_ids "$elf"
			[ "$(cat rc.out)" = 0 ] || fail "--patch_btfids: $(cat stderr.out)"
			[ $embed = no ] || [ ! -s stderr.out ] || fail "--patch_btfids: $(cat stderr.out)"
			[ "$inode" = "$(ls -i "$elf")" ] || fail "--patch_btfids made a new file"
			"$elfgraft" dump .BTF_ids=patched "$elf" && cmp -s patched expected.BTF_ids || fail "--patch_btfids: other bytes"
			cp "$elf" once
			run --patch_btfids expected.BTF_ids "$elf"
			cmp -s "$elf" once || fail "--patch_btfids twice is not once"
		fi
		rm -f "$elf".BTF*
		# shellcheck disable=SC2086
		run $args
		[ "$(cat rc.out)" = "$(cat rc)" ] || fail "second run (embedded: $embed): $(cat stderr.out)"
		for suffix in .BTF .BTF_ids .BTF.base; do compare "$elf$suffix" "expected$suffix"; done
	done
	if [ $bad = 0 ]; then echo "$name: same"; else wrong=$((wrong + 1)); fi
done
echo "$cases cases, $wrong differ"
[ $cases -gt 0 ] && [ $wrong = 0 ]
