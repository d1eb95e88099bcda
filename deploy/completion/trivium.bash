# Completion for bash: commands and flags, as the program's own help has them.
_trivium() {
    local program=$1 word=${COMP_WORDS[COMP_CWORD]} words='' help=(--help) choices=''
    [[ $program != "~/"* ]] || program=$HOME/${program#"~/"}     # as it was typed
    if [ "${program##*/}" = trivium ]; then
        if [ "$COMP_CWORD" -eq 1 ] || { [ "$COMP_CWORD" -eq 2 ] && [ "${COMP_WORDS[1]}" = help ]; }; then
            words="$("$program" help 2> /dev/null | sed -n 's/^  \([a-z]*\)  .*/\1/p') help"
            [[ $word != -* ]] || words='--help --version'
        else
            help=(help "${COMP_WORDS[1]}")
            # "usage: trivium bench kv-cache|decode …": one of these comes first.
            choices=$("$program" "${help[@]}" 2> /dev/null | sed -n 's/^usage: trivium [a-z]* \([a-z|-]*|[a-z|-]*\).*/\1/p')
            if [ -n "$choices" ] && [ "$COMP_CWORD" -eq 2 ]; then words=${choices//|/ }
            elif [ -n "$choices" ]; then help=("${COMP_WORDS[1]}" "${COMP_WORDS[2]}" --help)
            fi
        fi
    fi
    if [ -z "$words" ] && [[ $word == -* ]]; then
        words=$("$program" "${help[@]}" 2> /dev/null | sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z0-9-]*\).*/\2/p')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o bashdefault -o default -F _trivium trivium tokenizerd modeld samplerd
