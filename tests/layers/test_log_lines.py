"""A line of a log is key=value to its end, with quotes around a value that may have blanks, so that a program can read it."""
import pathlib
import re

import pytest

import layers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LITERAL = r'"(?:[^"\\]|\\.)*"'
CALL = re.compile(rf'\blog_event\(\s*\w+,\s*[^,]+,\s*((?:{LITERAL}\s*)+)')
# "%s" alone is pairs that a function wrote, or none; behind a value it has its own blank.
PAIR = r'(?:(?:[a-z_]+|%s)=(?:"[^"]*"|[^" ]*)(?:%s)*|%s)'
LINE = re.compile(f"{PAIR}(?: {PAIR})*")


def formats(text):
    for call in CALL.finditer(text):
        yield "".join(part[1:-1] for part in re.findall(LITERAL, call[1])).replace('\\"', '"')


def is_read(line):
    return bool(LINE.fullmatch(line))


def test_all_lines_are_pairs():
    found = [(path, line) for part in layers.PARTS for path in (ROOT / part).rglob("*.c") for line in formats(path.read_text())]
    n_calls = sum(path.read_text().count("log_event(LOG_") for part in layers.PARTS for path in (ROOT / part).rglob("*.c"))
    assert n_calls == len(found) > 0, "each call has its format there"
    assert [(path, line) for path, line in found if not is_read(line)] == []


@pytest.mark.parametrize("line", ['error="%s": nothing was changed', "n=%u m=%u: more than there are", "joined %s", 'why=too many',
                                  'why="%s'])
def test_a_line_that_cannot_be_read_is_told(line):
    assert not is_read(line)
