#!/bin/bash
# Run targets of libFuzzer, two at a time, each from its corpus. usage: run.sh BUILD SECONDS TARGET …
# What a target finds beside its corpus goes to BUILD/found/TARGET, an input that breaks it to BUILD/crashes/.
# Fails when one breaks: says how it ended and what its log ends with, and names the file.
set -u
build=$1 seconds=$2
shift 2
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1:handle_abort=1
export UBSAN_OPTIONS=print_stacktrace=1
here=$(dirname "$0")
LOG_LINES_SHOWN=60
mkdir -p "$build/crashes" "$build/logs"

# how_it_ended EXIT_CODE
how_it_ended() {
    case $1 in
        137) echo "killed by SIGKILL, as by the kernel where memory is short" ;;
        1[3-9]? | 12[89]) echo "killed by SIG$(kill -l $(($1 - 128)))" ;;
        *) echo "exit code $1" ;;
    esac
}

tell_broken() {
    local target=$1 log=$2 code=$3
    echo "  $target: broke, $(how_it_ended "$code"); $log:"
    if [ -s "$log" ]; then
        grep -nE '^(SUMMARY|Test unit written|artifact_prefix)|runtime error|ERROR:' "$log"
        tail -n "$LOG_LINES_SHOWN" "$log" | sed 's/^/    | /'
    else
        echo "    | (empty: it ended before it ran an input)"
    fi
}

run_one() {
    local target=$1 log=$build/logs/$1.log code
    mkdir -p "$build/found/$target"
    "$build/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=512 \
        -artifact_prefix="$build/crashes/$target-" -print_final_stats=1 \
        "$build/found/$target" "$here/corpus/$target" > "$log" 2>&1
    code=$?
    if [ "$code" -eq 0 ]; then
        echo "  $target: $(grep -o 'cov: [0-9]*' "$log" | tail -n 1), $(sed -n 's/^stat::average_exec_per_sec: *//p' "$log") inputs/s"
    else
        tell_broken "$target" "$log" "$code"
        return 1
    fi
}

failed=0
while [ $# -gt 0 ]; do
    run_one "$1" & first=$!
    second=
    if [ $# -gt 1 ]; then run_one "$2" & second=$!; fi
    wait "$first" || failed=1
    if [ -n "$second" ]; then wait "$second" || failed=1; fi
    shift $(($# > 1 ? 2 : 1))
done
exit "$failed"
