#!/bin/sh
# Run the unit test programs given, determinism first; every one runs, the first failure decides the exit.
set -u
failed=0
for name in test_fmath test_kernels test_real_model test_model; do
    for program in "$@"; do [ "${program##*/}" = $name ] && set -- "$program" "$@"; done
done
seen=
for program in "$@"; do
    case " $seen " in *" $program "*) continue ;; esac
    seen="$seen $program"
    if ! output=$("$program" 2>&1); then
        failed=1
        printf '%s\n' "$output"
    else
        printf '%s: %s\n' "${program##*/}" "$(printf '%s\n' "$output" | grep -a 'PASSED' | tail -n 1)"
    fi
done
exit $failed
