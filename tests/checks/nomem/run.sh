#!/bin/sh
# Each allocation of ours on the path of these programs fails once (nomem.h). usage: run.sh PROGRAM …
# One test of a program, and one call in it, as a fault names them: NOMEM_CALL=3:7 PROGRAM. Each program's result is
# said as it ends, after all that it found. They wait more than they compute: two for each core.
set -u
reports="exitcode=99 handle_segv=2 handle_sigbus=2 handle_sigfpe=2 handle_abort=2"
export ASAN_OPTIONS="$reports" UBSAN_OPTIONS="exitcode=99 print_stacktrace=1" LSAN_OPTIONS="exitcode=99"
NOMEM_PLACES=$(mktemp)
export NOMEM_PLACES
trap 'rm -f "$NOMEM_PLACES"' EXIT
printf '%s\n' "$@" | xargs -P "$((2 * $(nproc)))" -I{} sh -c '
    began=$(date +%s)
    output=$("{}" 2>&1)
    code=$?
    [ $code -eq 0 ] || printf "%s\n" "$output"
    said="$(basename "{}"): $(printf "%s\n" "$output" | tail -n 1) $(($(date +%s) - began)) s"
    [ $code -eq 0 ] && echo "$said" || { echo "FAILED $said"; exit 1; }' ||
    { echo "no memory: see FAILED above" >&2; exit 1; }
