#!/bin/bash
# Fuzzes one target, or all one after the other: scripts/fuzz.sh TARGET|all SECONDS [FILE...]
# The files are more seeds, modules of a kernel for example. The corpus stays in fuzz/corpus (never checked in); what
# fails goes to fuzz/artifacts, and then, made smaller, to testdata/fuzz. Each run adds a line to fuzz/runs.tsv: target,
# seconds of CPU time, executions, failed or not.
set -e
cd "$(dirname "$0")/.."
target=${1:-all} seconds=${2:-60}
shift 2 || true
export RUSTC_BOOTSTRAP=1 # libFuzzer's instrumentation is a -Z option; a nightly compiler does as well
command -v cargo-fuzz >/dev/null || { echo "fuzz.sh: cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
# Our code has no unsafe block but the mapping: an address sanitizer would only make it slower.
cargo fuzz build --sanitizer none
[ "$target" != all ] || target=$(sed -n 's/^name = "\(.*\)"/\1/p' fuzz/Cargo.toml | tail -n +2)
bin=$(dirname "$(find fuzz/target -path '*/release/parse' -type f | head -1)")
cargo build --quiet -p elfgraft-fuzzlaws --example seeds
status=0
for t in $target; do
    mkdir -p fuzz/corpus/"$t" fuzz/artifacts/"$t"
    "${CARGO_TARGET_DIR:-target}"/debug/examples/seeds "$t" fuzz/corpus/"$t" "$@"
    log=fuzz/artifacts/$t.log failed=ok
    /usr/bin/env bash -c 'TIMEFORMAT="cpu %U"; time "$@"' -- "$bin/$t" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=512 -max_len=65600 -close_fd_mask=1 -print_final_stats=1 -artifact_prefix=fuzz/artifacts/"$t"/ \
        fuzz/corpus/"$t" >"$log" 2>&1 || failed=FAILED status=1
    printf '%s\t%s\t%s\t%s\n' "$t" "$(sed -n 's/^cpu //p' "$log")" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" "$failed" | tee -a fuzz/runs.tsv
    [ $failed = ok ] || grep -m1 -a 'panicked at' -A2 "$log" || tail -5 "$log"
done
exit $status
