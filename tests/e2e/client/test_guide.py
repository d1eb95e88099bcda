"""Every command of the guide does what it says there, and prints what stands below it, to the byte."""
import re

import pytest

import guide
from conftest import ROOT


def check_screen(shown):
    """One still of `watch` in place: whom it watches, the end of the text, the newest step and its candidates."""
    first, tail, *lines = shown.splitlines()
    assert re.fullmatch(r"\S+: \d+ prompt ids, from step \d+ on", first), shown
    assert re.fullmatch(r'…?"?.*"', tail), shown
    assert re.match(r'".* step \d+  49152 → ', lines[0]), shown
    rows = [line for line in lines[1:] if line.startswith('  "')]
    assert len(rows) in (4, 5) and rows == lines[-len(rows):], shown
    assert sum(row.endswith(" ← drawn") for row in rows) == 1, shown
    assert max(map(len, shown.splitlines())) <= 80, shown


@pytest.mark.slow
def test_every_command_of_the_guide(real_model):
    _, blocks = guide.read()
    reader = guide.Reader(real_model)
    n_commands = 0
    try:
        for _, commands in blocks:
            for command in commands:
                code, output = reader.run(command, guide.SHORTER)
                assert code == 0, (command.line, output)
                if command.kind == "screen":
                    check_screen(command.output)
                    check_screen(output)
                elif command.kind == "varies":
                    assert bool(output) == bool(command.output), command.line
                else:
                    assert output == command.output, command.line
                if not command.is_text:
                    assert max([len(line) for line in output.splitlines()], default=0) <= 80, command.line
                n_commands += 1
    finally:
        reader.close()
    assert n_commands > 30


def test_the_guide_names_files_that_exist():
    text = guide.GUIDE.read_text()
    for name in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (guide.GUIDE.parent / name).exists(), name
    for name in re.findall(r"`((?:client|proto|tokenizerd|modeld|samplerd|deploy)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
