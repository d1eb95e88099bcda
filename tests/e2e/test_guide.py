"""Every command of the guide does what it says there, and prints what stands below it, to the byte."""
import re

import pytest

import guide
from conftest import ROOT

SHORTER = [("bench kv-cache", "bench kv-cache --tokens 4 --prompts 2,50"),      # the same, in seconds
           ("trivium up", "trivium up --wait 60"),      # the same, on a busy machine
           ("sleep 1;", "until [ -s story.txt ]; do sleep 0.1; done;")]


@pytest.mark.slow
def test_every_command_of_the_guide(real_model):
    _, blocks = guide.read()
    reader = guide.Reader(real_model)
    n_commands = 0
    try:
        for _, commands in blocks:
            for command in commands:
                code, output = reader.run(command, SHORTER)
                assert code == 0, (command.line, output)
                if command.varies:
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
