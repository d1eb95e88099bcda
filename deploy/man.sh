#!/bin/sh
# usage: man.sh BUILD FOLDER
# Man pages of the programs, of each command and of what a command asks to choose from, made from what they print for
# --help.
set -eu
build=$1 folder=$2
mkdir -p "$folder"

# page NAME SENTENCE: the help on stdin as a page.
page() {
    awk -v name="$1" -v sentence="$2" -v version="$version" '
        function text(line) {
            gsub(/\\/, "\\e", line)
            gsub(/-/, "\\-", line)
            return line ~ /^[.\047]/ ? "\\&" line : line
        }
        function section(title) {
            if (part != title) print ".SH " title
            part = title
        }
        function end_example() {
            if (example) print ".fi\n.RE"
            example = 0
        }
        BEGIN {
            print "\047\\\" -*- coding: UTF-8 -*-"
            printf ".TH \"%s\" 1 \"\" \"%s\"\n.SH NAME\n%s \\- %s\n", toupper(name), version, text(name), text(sentence)
        }
        /^usage: / { section("SYNOPSIS"); print text(substr($0, 8)); next }
        part == "SYNOPSIS" && NF { print text($0); next }
        part == "SYNOPSIS" { if (name == "trivium") part = ""; else section("DESCRIPTION"); next }
        /^  (-[a-z], )?--/ || (name == "trivium" && /^  [a-z]/) {
            end_example()
            section(name == "trivium" ? "COMMANDS" : "OPTIONS")
            row = substr($0, 3)
            if (name == "trivium") pages = pages text("trivium-" $1) " (1),\n.BR "
            n = match(row, /  +/)
            print ".TP\n.B " text(n ? substr(row, 1, n - 1) : row)
            if (n) print text(substr(row, n + RLENGTH))
            next
        }
        part == "OPTIONS" { sub(/^ +/, ""); print text($0); next }
        part == "COMMANDS" { if (NF) { section("DESCRIPTION"); print text($0) } ; next }
        /^  / { if (!example) print ".PP\n.RS\n.nf"; example = 1; print text(substr($0, 3)); next }
        { end_example(); print NF ? text($0) : ".PP" }
        END {
            end_example()
            if (name != "trivium") pages = "trivium (1)"
            else pages = pages "tokenizerd (1),\n.BR modeld (1),\n.BR samplerd (1)"
            print ".SH SEE ALSO\n.BR " pages
        }
    ' > "$folder/$1.1"
}

# page_of PROGRAM [WORD…]: the page of what its --help says; its sentence, too: from the empty line after the usage to
# the first full stop.
page_of() {
    name=$(echo "$*" | tr ' ' '-') program=$build/$1
    shift
    sentence=$("$program" "$@" --help | sed '1,/^$/d' | tr '\n' ' ' | sed 's/[.:] .*//; s/^./\L&/')
    "$program" "$@" --help | page "$name" "$sentence"
}

version=$("$build/trivium" --version)
"$build/trivium" --help | page trivium "text from a language model, by three daemons"
"$build/trivium" --help | sed -n 's/^  \([a-z]*\)  *\(.*\)/\1 \2/p' | while read -r command sentence; do
    "$build/trivium" help "$command" | page "trivium-$command" "$sentence"
    # "usage: trivium bench kv-cache|decode …": each has flags of its own.
    choices=$("$build/trivium" help "$command" | sed -n 's/^usage: trivium [a-z]* \([a-z|-]*|[a-z|-]*\).*/\1/p')
    for choice in $(echo "$choices" | tr '|' ' '); do page_of trivium "$command" "$choice"; done
done
for program in tokenizerd modeld samplerd; do page_of "$program"; done
