"""What was typed into chats is kept in a file of the user's own, and comes back in the next one."""
import json
import os
import subprocess

import pytest

from terminal import Terminal, terminal  # noqa: F401: terminal is a fixture

BRIEF = ["--seed", "1", "--max-new-tokens", "2"]


@pytest.fixture
def kept(tmp_path):
    """(environment of a chat whose file is in a folder of its own, that file)."""
    return {"XDG_STATE_HOME": str(tmp_path / "state")}, tmp_path / "state" / "trivium" / "chat_history"


def ended(chat):
    chat.type("\x15q\r")
    assert chat.end() == 0
    return "\n".join(chat.lines())


def test_a_second_chat_has_what_the_first_one_heard(terminal, kept):
    environment, file = kept
    one, two = (terminal(*BRIEF, environment=environment) for _ in range(2))
    one.type('"""\rif x:\r    y("\u00e4")\r"""\r')
    one.wait_for("Assistant: ")
    two.type("/set top_k 4\r")
    two.wait_for("strategy:")
    one.wait_for("You: ")
    assert "not kept" not in ended(one) + ended(two)
    assert [json.loads(line) for line in file.read_text().splitlines()] == ['if x:\n    y("\u00e4")', "/set top_k 4", "q", "q"]
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    three = terminal(*BRIEF, environment=environment)
    three.type("\x1b[A\x1b[A\x1b[A")
    three.wait_for("/set top_k 4")
    three.type("\x1b[A")
    three.wait_for('    y("\u00e4")')
    assert three.lines()[-2:] == ["You: if x:", '    y("\u00e4")']
    ended(three)


def test_what_is_piped_is_not_kept(real, kept):
    environment, file = kept
    chat = real.popen("chat", env={**real.environment, **environment}, stdin=subprocess.PIPE)
    assert b"strategy:" in chat.communicate(b"/set\n")[1]
    assert not file.exists()


def test_it_can_be_switched_off(terminal, kept):
    environment, file = kept
    chat = terminal(*BRIEF, environment={**environment, "TRIVIUM_HISTORY": ""})
    chat.type("/set\r")
    chat.wait_for("strategy:")
    assert "not kept" not in ended(chat)
    assert not file.exists()


def test_a_file_that_is_no_file(terminal, kept):
    environment, file = kept
    file.parent.mkdir(parents=True)
    os.mkfifo(file)
    chat = terminal(*BRIEF, environment=environment)
    chat.type("/set\r")
    chat.wait_for("strategy:")
    chat.wait_for("You: ")
    chat.type("\x1b[A")                         # within this chat it comes back
    chat.wait_for("/set")
    assert ended(chat).count("what is typed is not kept") == 1
