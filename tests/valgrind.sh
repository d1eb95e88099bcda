#!/bin/bash
# A short generation of a tiny model with all four programs under valgrind: no error, no definite or indirect loss.
set -eu
build=$TRIVIUM_BUILD
XDG_RUNTIME_DIR=$(mktemp -d /tmp/trivium-valgrind.XXXXXX)
export XDG_RUNTIME_DIR
pids=
finish() {
    for pid in $pids; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$XDG_RUNTIME_DIR"
}
trap finish EXIT

checked() { # NAME PROGRAM ARGUMENTS, in place of the shell that calls it; valgrind's output goes to NAME.valgrind
    local name=$1
    shift
    exec valgrind --quiet --leak-check=full --show-leak-kinds=definite,indirect \
        --errors-for-leak-kinds=definite,indirect --error-exitcode=99 \
        --log-file="$XDG_RUNTIME_DIR/$name.valgrind" "$@"
}

"$build/tests/make_model" "$XDG_RUNTIME_DIR/tiny.gguf" --type Q4_1 --seed 1
checked tokenizerd "$build/tokenizerd" --heartbeat-ms 2000 2>"$XDG_RUNTIME_DIR/tokenizerd.log" & pids="$pids $!"
checked modeld "$build/modeld" --heartbeat-ms 2000 --step-deadline-ms 20000 --threads 2 \
    --model "$XDG_RUNTIME_DIR/tiny.gguf" 2>"$XDG_RUNTIME_DIR/modeld.log" & pids="$pids $!"
checked samplerd "$build/samplerd" --heartbeat-ms 2000 2>"$XDG_RUNTIME_DIR/samplerd.log" & pids="$pids $!"

(checked client "$build/trivium" generate "Once upon a time" --seed 7 --max-new-tokens 8 --wait 60)

failed=0
for pid in $pids; do
    kill "$pid"
    wait "$pid" || failed=1
done
pids=
for log in "$XDG_RUNTIME_DIR"/*.valgrind; do
    if [ -s "$log" ]; then
        failed=1
        cat "$log"
    fi
done
[ $failed = 0 ] && echo "valgrind: 4 programs, no error, no definite or indirect loss"
exit $failed
