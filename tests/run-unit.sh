#!/bin/sh
# Run the unit test programs given, determinism first. Every one runs; the last lines name those that failed, with their
# tests, and the exit code is that of a failure.
set -u
failures=
for name in test_fmath test_kernels test_real_model test_model; do
    for program in "$@"; do [ "${program##*/}" = $name ] && set -- "$program" "$@"; done
done

# What a program that failed says of itself: its failed tests, or, when it did not come to their list, how it ended.
say_why() {
    listed=$(printf '%s\n' "$2" | sed -n 's/^\[  FAILED  \] \([A-Za-z_][A-Za-z0-9_]*\)$/\1/p' | sort -u | paste -sd ' ')
    running=$(printf '%s\n' "$2" | sed -n 's/^\[ RUN      \] //p' | tail -n 1)
    if [ -n "$listed" ]; then echo "$listed"; else echo "exit code $1${running:+ in $running}"; fi
}

seen=
for program in "$@"; do
    case " $seen " in *" $program "*) continue ;; esac
    seen="$seen $program"
    output=$("$program" 2>&1)
    code=$?
    if [ $code -ne 0 ]; then
        printf '%s\n' "$output"
        failures="$failures
FAILED ${program##*/}: $(say_why $code "$output")"
    else
        printf '%s: %s\n' "${program##*/}" "$(printf '%s\n' "$output" | grep -a 'PASSED' | tail -n 1)"
    fi
done
[ -z "$failures" ] && exit 0
printf '%s\n' "$failures" >&2
exit 1
