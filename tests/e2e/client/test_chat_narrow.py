"""A chat in a window that is narrow, that changes its size, and that others had in between."""
import pexpect

from conftest import wait_until
from terminal import Terminal, terminal  # noqa: F401: terminal is a fixture


def resize(chat, n_columns):
    """The line that is edited is drawn anew then."""
    chat.child.setwinsize(100, n_columns)
    chat.screen.resize(100, n_columns)
    chat.wait_for("\x1b[J")
    chat.wait_for(": ")


def test_notes_and_replies_at_30_columns(terminal, real):
    flags = ["--seed", "7", "--max-new-tokens", "30"]
    text = real.lines("chat", *flags, input=b"Why is the sky so blue?\n")[0]["reply"]["text"]
    chat = terminal(*flags)
    resize(chat, 30)
    chat.type("/help\r")
    chat.wait_for("/save FILE")
    chat.wait_for("You: ")
    lines = chat.lines()
    begin = lines.index("  /save FILE")
    assert lines[begin + 1].startswith("    write the ")
    chat.type("Why is the sky so blue?\r")
    chat.wait_for("Assistant: ")
    chat.wait_for("You: ")
    lines = chat.lines()
    reply = lines[next(i for i, line in enumerate(lines) if line.startswith("Assistant: ")):-1]
    words = ["Assistant:", *text.split()]       # a note may follow them
    assert len(reply) > 3 and " ".join(reply).split()[:len(words)] == words
    chat.type("q\r")
    assert chat.end() == 0


def test_notes_at_80_columns(terminal):
    chat = terminal()
    chat.type("/help\r")
    chat.wait_for("You: ")
    assert "  /save FILE        write the conversation, one JSON object a message" in chat.lines()
    chat.type("q\r")
    assert chat.end() == 0


def test_notes_follow_each_other_in_colour_too(real):
    chat = Terminal(real, "chat", colour=True)
    chat.wait_for("You:")
    chat.type("/help\r")
    chat.wait_for("typed with two of them")
    chat.wait_for("You:")
    lines = chat.lines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("  /set NAME VALUE"))
    assert lines[begin + 1].startswith("  /set system TEXT")
    chat.type("q\r")
    assert chat.end() == 0


def test_what_is_put_into_a_line_of_several_rows(terminal):
    """The rows below keep what they have."""
    chat = terminal(n_columns=30)
    words = " ".join(10 * letter for letter in "abcdefgh")
    expected = "You: XYZ" + words

    def shown():
        chat.child.expect(pexpect.TIMEOUT, timeout=0.1)     # read what there is
        return "".join(line.ljust(30) for line in chat.lines()).rstrip()
    chat.type(words)
    wait_until(lambda: shown().endswith("You: " + words), what="a line of several rows")
    for key in "\x01XYZ":
        chat.type(key)
    wait_until(lambda: shown().endswith(expected), 10, expected)
    chat.type("\x03")
    chat.wait_for("You: ")
    chat.type("q\r")
    assert chat.end() == 0


def test_another_size_while_a_message_is_under_way(terminal):
    chat = terminal()
    chat.type("\x1b[200~def f(x):\r    return x\r\x1b[201~and then some words of it")
    chat.wait_for("of it")
    for n_columns in (24, 60, 20, 80):
        resize(chat, n_columns)
    chat.type("!")
    chat.wait_for("!")
    lines = chat.lines()                        # what was folded for a narrower window may be there, too
    assert lines[-1] == "...: and then some words of it!"
    assert lines.count("You: def f(x):") == lines.count("...:     return x") == 1
    chat.type("\x03")
    chat.wait_for("You: ")
    chat.type("q\r")
    assert chat.end() == 0
