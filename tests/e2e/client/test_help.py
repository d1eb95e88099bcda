"""--help of every program and command: it is there, shows an example, and fits a terminal of 80 columns."""
import re
import subprocess

import pytest

from conftest import BUILD

DAEMONS = ("tokenizerd", "modeld", "samplerd")


def help_of(*words):
    done = subprocess.run([BUILD / words[0], *words[1:], "--help"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def all_of_them():
    """Every program, every command, and what a command asks to choose from: "explore temperature|top-p"."""
    yield from ((daemon,) for daemon in DAEMONS)
    yield ("trivium",)
    for command in re.findall(r"^  ([a-z]+) ", help_of("trivium"), re.MULTILINE):
        yield ("trivium", command)
        choices = re.search(rf"usage: trivium {command} ([a-z-]+(?:\|[a-z-]+)+)", help_of("trivium", command))
        for choice in choices[1].split("|") if choices else ():
            yield ("trivium", command, choice)


def test_there_are_commands():
    assert len(list(all_of_them())) > 15


@pytest.mark.parametrize("words", all_of_them(), ids="-".join)
def test_no_line_is_wider_than_80_columns(words):
    text = help_of(*words)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert text.startswith(f"usage: {' '.join(words)}")
    if words[0] == "trivium" and len(words) > 1:
        assert re.search(rf"^  .*{' '.join(words)}\b", text, re.MULTILINE), "no example"
