#!/bin/bash
# Unit tests under ThreadSanitizer, two at a time. usage: run.sh RACY PAST PROGRAM …
# RACY has a race that is meant: where it is not reported, no silence of the others means anything.
# PAST is loaded before each (past.c). Each program's result is said as it ends; one that has not ended after TSAN_SECONDS (120) fails.
set -u
TSAN_OPTIONS="suppressions=$(dirname "$0")/libzmq.supp exitcode=66 ${TSAN_OPTIONS:-}"
export TSAN_OPTIONS
racy=$1
export PAST
PAST=$(realpath "$2")
shift 2
said=$(LD_PRELOAD=$PAST "$racy" 2>&1)
case $?,$said in
    66,*"data race"*racy.c*) ;;
    *)
        printf '%s\nThreadSanitizer did not report the race of %s.\n' "$said" "$racy" >&2
        exit 1
        ;;
esac
echo "racy: its race is reported"

run_one() {
    local program=$1 name=${1##*/} began=$SECONDS output code
    output=$(timeout --kill-after=10 "${TSAN_SECONDS:-120}" env LD_PRELOAD="$PAST" "$program" 2>&1)
    code=$?
    case $code in
        0) echo "$name: $(grep -a PASSED <<< "$output" | tail -n 1) $((SECONDS - began)) s" ;;
        124 | 137) printf '%s\nFAILED %s: no end after %s s\n' "$output" "$name" "$((SECONDS - began))" ;;
        *) printf '%s\nFAILED %s: exit code %s\n' "$output" "$name" "$code" ;;
    esac
    return "$code"
}
export -f run_one
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'run_one {}' || { echo "ThreadSanitizer: see FAILED above" >&2; exit 1; }
