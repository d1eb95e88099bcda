"""What the text of a C file says, without what only looks like it: comments, strings, character literals, directives."""
import re

STRING, CHARACTER, COMMENT = r'"(?:\\.|[^"\\\n])*"', r"'(?:\\.|[^'\\\n])*'", r"/\*.*?\*/|//(?:\\\n|[^\n])*"
DIRECTIVE = rf"^[ \t]*\#(?:\\\n|{STRING}|{CHARACTER}|{COMMENT}|[^\n])*"
NOT_CODE = re.compile(f"{DIRECTIVE}|{COMMENT}|{STRING}|{CHARACTER}", re.DOTALL | re.MULTILINE)
TAG = re.compile(r"\b(?:struct|union|enum)\s+(\w+)\s*\{")


def code(text):
    """The text with spaces for all that is no code: every line and column stays where it was."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def line_at(text, place):
    return text.count("\n", 0, place) + 1


def functions(text):
    """(name, first line, number of lines) of each function, from the first word of its head to its closing brace.
    ValueError: the braces do not match."""
    text = code(text)
    depth, head_start, body = 0, 0, None
    for found in re.finditer(r"[{};]", text):
        if found.group() == "{":
            depth += 1
            if depth == 1:
                body = function_head(text, head_start, found.start())
        elif found.group() == "}":
            depth -= 1
            if depth < 0:
                raise ValueError(f"line {line_at(text, found.start())}: a brace closes nothing")
            if depth == 0 and body:
                name, first = body
                yield name, first, line_at(text, found.start()) - first + 1
        if depth == 0:
            head_start = found.end()
    if depth:
        raise ValueError("a brace stays open")


def function_head(text, start, end):
    """(name, line) when what precedes an outermost brace is the head of a function; None: of a type or a table."""
    head = text[start:end]
    if not head.rstrip().endswith(")") or head.count("(") != head.count(")"):
        return None
    bare = re.sub(r"__attribute__\s*\(\(.*?\)\)", "", head, flags=re.DOTALL)
    name = re.search(r"(\w+)\s*\((?!\s*\*)", bare)      # `int (*` begins no list of parameters
    return name and (name.group(1), line_at(text, start + len(head) - len(head.lstrip())))


def tags(text):
    """(tag, line) of each struct, union and enum that is defined here; one that is only named is not."""
    text = code(text)
    for found in TAG.finditer(text):
        yield found.group(1), line_at(text, found.start())
