# SPDX-License-Identifier: MIT OR Apache-2.0
# What the benchmarks measure with; sourced by them. They set $dir, a directory of their own, $rounds, and missed=0.
# Commands are compared in turns within a round, and the medians of the rounds are told, with ratios to the first.
# Uses hyperfine if it is installed, else a loop of its own.

have() { command -v "$1" >/dev/null; }
size() { stat -L -c %s "$1"; }
# median [FILE]: of numbers, one a line; of standard input without a file.
median() { sort -n "$@" | awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'; }

names=() prepares=() commands=() medians=()
# add NAME PREPARE COMMAND: one row. PREPARE runs before every run, and its time does not count.
add() { names+=("$1") prepares+=("$2") commands+=("$3"); }

# once RUNS PREPARE COMMAND: the median of so many runs, in microseconds.
if have hyperfine; then
    harness=$(hyperfine --version)
    once() {
        hyperfine -N --style none --warmup 1 --runs "$1" --prepare "sh -c '$2'" --export-csv "$dir/csv" "$3" >/dev/null 2>&1
        # The columns count from the end: a command may contain commas.
        tail -n 1 "$dir/csv" | awk -F, '{ printf "%d\n", $(NF-4) * 1e6 }'
    }
else
    harness="a loop of bash $BASH_VERSION"
    once() {
        local run begin end
        for ((run = 0; run <= $1; run++)); do
            sh -c "$2"
            begin=${EPOCHREALTIME/./}
            eval "$3" >/dev/null 2>&1
            end=${EPOCHREALTIME/./}
            [ "$run" = 0 ] || echo $((end - begin))
        done | median
    }
fi

# measure RUNS TITLE: all rows added since the last time, in turns; times and their ratios to the first row.
measure() {
    local round row
    rm -f "$dir"/times.*
    for ((round = 0; round < rounds; round++)); do
        for row in "${!names[@]}"; do once "$1" "${prepares[row]}" "${commands[row]}" >>"$dir/times.$row"; done
    done
    echo
    echo "$2"
    medians=()
    for row in "${!names[@]}"; do
        medians[row]=$(median "$dir/times.$row")
        awk -v name="${names[row]}" -v t="${medians[row]}" -v base="${medians[0]}" \
            'BEGIN { printf "  %-52s %10.2f ms %8.2f x\n", name, t / 1000, t / base }'
    done
    names=() prepares=() commands=()
}

# target TEXT ROW BASE LIMIT: whether a row of the last measurement takes at most LIMIT times another.
target() {
    awk -v text="$1" -v t="${medians[$2]}" -v base="${medians[$3]}" -v limit="$4" 'BEGIN {
        ok = t <= base * limit
        printf "  target: %s: %.2f, at most %.2f: %s\n", text, t / base, limit, ok ? "held" : "MISSED"
        exit !ok
    }' || missed=1
}
