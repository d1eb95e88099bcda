#!/bin/sh
# Start the three daemons in a runtime folder of their own, write one text, stop them. usage: run.sh BUILD
# PROMPT sets the prompt, TRIVIUM_MODEL another model file, or chapter; a mere name is for commands. Without network and cached model the embedded one writes.
set -eu
build=$1
case ${TRIVIUM_MODEL:-} in
    */* | *.gguf | chapter) model=$TRIVIUM_MODEL ;;
    *) if ! model=$(deploy/fetch-model.sh); then
        echo "the model that talks cannot be fetched here: the embedded one, made for the chapter, writes instead" >&2
        model=chapter
    fi ;;
esac
unset TRIVIUM_MODEL
XDG_RUNTIME_DIR=$(mktemp -d /tmp/trivium-run.XXXXXX)
export XDG_RUNTIME_DIR
stop() {
    "$build/trivium" down >/dev/null 2>&1 || true
    rm -rf "$XDG_RUNTIME_DIR"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$build/trivium" up --model "$model"
prompt=${PROMPT-Once upon a time}
printf '\nprompt: %s\n' "$prompt"
"$build/trivium" generate --seed 7 --max-new-tokens 60 --timings -- "$prompt"
echo "(the three daemons of this text end now; \`$build/trivium up\` starts some that stay)"
