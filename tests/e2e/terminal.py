"""What a terminal is shown; one of 80 columns that a program runs in, and what it shows; a fixture that opens chats."""
import contextlib
import json
import os
import signal

import pexpect
import pytest
import pyte

from conftest import BUILD, TIMEOUT_S


def default_signals():
    """A shell without jobs has what it starts in the background ignore these; a terminal's shell does not."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)


def pieces(terminal):
    """What is written to this descriptor's other end, piece by piece, until nobody holds that end."""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            yield piece


class Terminal:
    """A program (`trivium`) with these arguments, as somebody sees it who sits in front of it."""

    def __init__(self, stack, *arguments, program=BUILD / "trivium", n_rows=100, n_columns=80, colour=False,
                 environment=None, folder=None):
        environment = {**stack.environment, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})}
        if colour:
            environment.pop("NO_COLOR", None)
        self.child = pexpect.spawn(str(program), [str(a) for a in arguments], env=environment,
                                   dimensions=(n_rows, n_columns), timeout=TIMEOUT_S, encoding="utf-8", cwd=folder,
                                   preexec_fn=default_signals)
        self.screen = pyte.Screen(n_columns, n_rows)
        self.stream = pyte.Stream(self.screen)
        self.raw = ""
        self.child.logfile_read = self

    def write(self, text):
        self.raw += text
        self.stream.feed(text)

    def flush(self):
        pass

    def lines(self):
        """What stands on the screen, without empty lines at the end."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().splitlines()

    def wait_for(self, text):
        self.child.expect_exact(text)

    def type(self, text):
        self.child.send(text)

    def end(self):
        """Its exit code, when it has ended by itself."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus

    def kill(self):
        self.child.close(force=True)


def wait_for_reply(chat):
    chat.wait_for("Assistant: ")
    chat.wait_for("You: ")


def said(file):
    """What was said, in the file that /save wrote."""
    messages = [json.loads(line) for line in file.read_text().splitlines()]
    return [message["content"] for message in messages if message["role"] == "user"]


def save(chat, file):
    chat.type(f"/save {file}\r")
    chat.wait_for("saved in")
    chat.wait_for("You: ")


@pytest.fixture
def terminal(real):
    """terminal(arguments of `chat`, …) → a Terminal that asks what to say."""
    opened = []

    def open_chat(*arguments, **keywords):
        one = Terminal(real, "chat", *arguments, **keywords)
        opened.append(one)
        one.wait_for("You: ")
        return one
    yield open_chat
    for one in opened:
        one.kill()
