#!/bin/sh
# Unit tests under ThreadSanitizer. usage: run.sh RACY PROGRAM …
# RACY has a race that is meant: where it is not reported, no silence of the others means anything.
set -eu
TSAN_OPTIONS="suppressions=$(dirname "$0")/libzmq.supp exitcode=66 ${TSAN_OPTIONS:-}"
export TSAN_OPTIONS
racy=$1
shift
code=0
said=$("$racy" 2>&1) || code=$?
case $code,$said in
    66,*"data race"*racy.c*) ;;
    *)
        printf '%s\nThreadSanitizer did not report the race of %s (exit code %s).\n' "$said" "$racy" "$code" >&2
        exit 1
        ;;
esac
exec "$(dirname "$0")/../../run-unit.sh" "$@"
