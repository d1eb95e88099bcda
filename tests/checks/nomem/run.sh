#!/bin/sh
# Each allocation of ours on the path of these programs fails once (nomem.h). usage: run.sh PROGRAM …
# One test of a program, and one call in it, as a fault names them: NOMEM_CALL=3:7 PROGRAM. NOMEM_SECONDS: of each
# program; what is left then is said. All faults are in the output; the last lines name the programs.
# They wait more than they compute: two for each core.
set -u
reports="exitcode=99 handle_segv=2 handle_sigbus=2 handle_sigfpe=2 handle_abort=2"
export ASAN_OPTIONS="$reports" UBSAN_OPTIONS="exitcode=99 print_stacktrace=1" LSAN_OPTIONS="exitcode=99"
NOMEM_PLACES=$(mktemp)
export NOMEM_PLACES
trap 'rm -f "$NOMEM_PLACES"' EXIT
printf '%s\n' "$@" | xargs -P "$((2 * $(nproc)))" -I{} sh -c '
    output=$("{}" 2>&1)
    code=$?
    [ $code -eq 0 ] || printf "%s\n" "$output"
    name=$(basename "{}")
    last=$(printf "%s\n" "$output" | tail -n 1)
    [ $code -eq 0 ] && echo "$name: $last" || { echo "FAILED $name: $last"; exit 1; }'
