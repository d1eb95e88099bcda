#compdef trivium tokenizerd modeld samplerd
# Completion for zsh: commands and flags with what they do, as the program's own help has them.
_trivium() {
    local program=${~words[1]} choices        # as it was typed: "~/…"
    local -a help rows
    if [[ ${program:t} == trivium ]]; then
        if (( CURRENT == 2 )) || { (( CURRENT == 3 )) && [[ ${words[2]} == help ]] }; then
            [[ ${words[CURRENT]} == -* ]] && { compadd -- --help --version; return }
            rows=(${(f)"$($program help 2> /dev/null | sed -n 's/^  \([a-z]*\)  *\(.*\)/\1:\2/p')"} 'help:what a command does')
            _describe command rows
            return
        fi
        help=(help ${words[2]})
        choices=$($program $help 2> /dev/null | sed -n 's/^usage: trivium [a-z]* \([a-z|-]*|[a-z|-]*\).*/\1/p')
        if [[ -n $choices ]]; then
            if (( CURRENT == 3 )); then
                compadd -- ${(s:|:)choices}
                return
            fi
            help=(${words[2]} ${words[3]} --help)
        fi
    else
        help=(--help)
    fi
    if [[ ${words[CURRENT]} == -* ]]; then
        rows=(${(f)"$($program $help 2> /dev/null | sed -n 's/^  \(-[a-z], \)\{0,1\}\(--[a-z0-9-]*\)\( [^ ][^ ]*\)\{0,1\} *\(.*\)/\2:\4/p')"})
        _describe flag rows
    else
        _files
    fi
}
_trivium "$@"
