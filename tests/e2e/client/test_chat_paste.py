"""What is pasted into a chat: several lines are one message, byte for byte, and nothing of it is a key."""
import contextlib
import json
import os
import select
import time

from conftest import BUILD, TIMEOUT_S
from terminal import Terminal, said, save, terminal, wait_for_reply  # noqa: F401: terminal is a fixture

BRIEF = ["--seed", "1", "--max-new-tokens", "4"]
FUNCTION = 'def name(n):\n    """Its name."""\n\tif n == 0:  # \u00e4\u6f22\n        return "\\\\"\n\n    return name(n - 1)'


def paste(text, newline="\r"):
    """As a terminal sends it."""
    return "\x1b[200~" + text.replace("\n", newline) + "\x1b[201~"


def saved(chat, file):
    """What was said; the chat ends."""
    save(chat, file)
    chat.type("q\r")
    assert chat.end() == 0
    return said(file)


def test_a_function_is_one_message(terminal, tmp_path):
    chat = terminal(*BRIEF)
    for newline in ("\r", "\n", "\r\n"):
        chat.type(paste("  " + FUNCTION, newline))
        chat.wait_for("...:     return name(n - 1)")
        chat.type("\r")
        wait_for_reply(chat)
    shown = "\n".join(chat.lines())
    assert '\nYou:   def name(n):\n...:     """Its name."""\n...:' in "\n" + shown
    assert saved(chat, tmp_path / "talk.jsonl") == 3 * ["  " + FUNCTION]


def test_it_goes_in_where_the_cursor_is(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type("See () there\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D")
    chat.type(paste("one\ntwo\nthree"))
    chat.wait_for("...: three) there")
    chat.type("!\r")
    wait_for_reply(chat)
    chat.type("See () there\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D")
    chat.type(paste("this") + "!\r")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["See (one\ntwo\nthree!) there", "See (this!) there"]


def test_nothing_of_it_is_a_key(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type(paste("a\x03b\x1a\x1cc\x04\x1b[A\x12\td\n\x7fe\x16"))
    chat.wait_for("...: e")
    chat.type("\r")
    wait_for_reply(chat)
    chat.type(paste("/help\n"))                 # of several lines: no command
    chat.wait_for("...: ")
    chat.type("too\r")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["abc[A\td\ne", "/help\ntoo"]


def test_marks_in_it_mean_nothing(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type(paste('"""\none\\\n"""\ntwo\\') + "\r")
    wait_for_reply(chat)
    chat.type('"""\r')
    chat.wait_for("...: ")
    chat.type(paste('x = """\ny"""') + "\r")
    chat.wait_for('...: y"""')
    chat.wait_for("...: ")
    chat.type('"""\r')
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ['"""\none\\\n"""\ntwo\\', 'x = """\ny"""']


def test_ctrl_c_drops_all_of_it(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type("And " + paste("one\ntwo"))
    chat.wait_for("...: two")
    chat.child.sendintr()
    chat.wait_for("You: ")
    chat.type("three\r")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["three"]


def test_into_a_search_and_after_a_lone_escape(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type("\x12")
    chat.wait_for("bck:")
    chat.type(paste("one\ntwo"))
    chat.wait_for("...: two")
    chat.type("\r")
    wait_for_reply(chat)
    chat.type("\x1b" + paste("three\nfour"))
    chat.wait_for("...: four")
    chat.type("\r")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["one\ntwo", "three\nfour"]


def test_during_a_reply(terminal, tmp_path):
    chat = terminal("--seed", "7", "--max-new-tokens", "1000")
    chat.type("Write a very long story about a dragon.\r")
    chat.wait_for("Assistant: ")
    chat.type(paste("one\n  two"))
    chat.wait_for("...:   two")
    chat.type("\r")
    chat.child.sendintr()                       # ends the story
    chat.wait_for("Assistant: ")
    chat.child.sendintr()
    chat.wait_for("You: ")
    assert "one\n  two" in saved(chat, tmp_path / "talk.jsonl")


def test_one_that_is_too_long_while_a_reply_is_written(terminal):
    chat = terminal("--seed", "7", "--max-new-tokens", "3000")
    chat.type("Write a very long story about a dragon.\r")
    chat.wait_for("Assistant: ")
    chat.type(paste("z" * (17 << 20)))
    chat.wait_for("it is left out")
    chat.type("Then?\r")
    chat.wait_for("You: Then?")


def test_an_end_that_is_lost(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type("\x1b[200~one\rtwo")
    chat.wait_for("one")
    time.sleep(1.5)                             # longer than a paste is silent
    chat.type("\r")
    chat.wait_for("...: two")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["one\ntwo"]


def test_an_end_that_comes_in_two(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type("\x1b[200~one\rtwo\x1b[201")
    chat.wait_for("one")
    time.sleep(1.5)
    chat.type("~")
    chat.wait_for("...: two")
    chat.type("\r")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["one\ntwo"]


def test_the_marks_are_asked_for_while_it_runs(terminal, real):
    chat = terminal(*BRIEF)
    assert chat.raw.count("\x1b[?2004h") == 1
    chat.type("q\r")
    assert chat.end() == 0
    assert chat.raw.count("\x1b[?2004l") == 1
    assert chat.raw.index("\x1b[?2004h") < chat.raw.index("You: ") < chat.raw.index("\x1b[?2004l")


def test_ctrl_z_in_the_middle_of_it(real, tmp_path):
    shell = Terminal(real, "-i", program="/bin/sh", environment={"PS1": "$ "})
    shell.type(f"{BUILD}/trivium chat --max-new-tokens 4\r")
    shell.wait_for("You: ")
    shell.type(paste("  one\ntwo"))             # the paste is whole, the message is not
    shell.wait_for("...: two")
    n_on = shell.raw.count("\x1b[?2004h")
    shell.type("\x1a")
    shell.wait_for("\x1b[?2004l")
    shell.wait_for("$ ")
    shell.type("fg\r")
    shell.wait_for("\x1b[?2004h")
    shell.wait_for("...: two")
    assert shell.raw.count("\x1b[?2004h") > n_on
    shell.type(paste(" and\nthree\rfo")[:-6])   # its end comes later
    shell.wait_for("...: three")
    shell.type("ur\x1b[201~\r")
    shell.wait_for("...: four")
    shell.wait_for("Assistant: ")
    shell.wait_for("You: ")
    file = tmp_path / "talk.jsonl"
    shell.type(f"/save {file}\r")
    shell.wait_for("saved in")
    shell.type("q\r")
    shell.wait_for("Goodbye!")
    shell.kill()
    assert json.loads(file.read_text().splitlines()[0])["content"] == "  one\ntwo and\nthree\nfour"


def feed(chat, text, shown_last):
    """Type more than the terminal holds, and pass over what is shown meanwhile, up to this."""
    terminal, shown = chat.child.fileno(), b""
    left = memoryview(text.encode())
    os.set_blocking(terminal, False)
    while left or shown_last.encode() not in shown:
        readable, writable, _ = select.select([terminal], [terminal] if left else [], [], TIMEOUT_S)
        assert readable or writable
        with contextlib.suppress(BlockingIOError):
            if readable:
                shown = (shown + os.read(terminal, 65536))[-4096:]
            if writable:
                left = left[os.write(terminal, left[:4096]):]
    os.set_blocking(terminal, True)


def test_what_is_large(terminal, tmp_path):
    """Megabytes of lines, and a line of 100 KB that is edited on."""
    chat = terminal("--max-new-tokens", "2", "--max-history-tokens", "64")
    feed(chat, paste("".join(f"line {i}\n" for i in range(250_000)) + "the end"), "the end")
    chat.type("\x03")
    chat.wait_for("You: ")
    feed(chat, paste(100_000 * "x" + "the end"), "the end")
    chat.type("!\x01>\x05\x7f\x7f\r")
    chat.wait_for("your message does not fit")
    chat.wait_for("You: ")
    assert saved(chat, tmp_path / "talk.jsonl") == [">" + 100_000 * "x" + "the en"]


def test_what_is_longer_than_a_text_may_be(terminal, tmp_path):
    chat = terminal(*BRIEF)
    chat.type("Look: ")
    feed(chat, paste(300_000 * (59 * "y" + "\n") + "the end") + "once more", "You: once more")
    chat.type("!\r")
    wait_for_reply(chat)
    assert saved(chat, tmp_path / "talk.jsonl") == ["once more!"]
