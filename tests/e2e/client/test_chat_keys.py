"""Keys, signals and the terminal of a chat: nothing that is typed stops what runs, the terminal is always given back."""
import signal
import termios
import time

import pytest

from conftest import BUILD, wait_until
from terminal import Terminal, terminal  # noqa: F401: terminal is a fixture

STORY = "Write a very long story about a dragon."
LONG = ["--seed", "7", "--max-new-tokens", "3000"]


def modes(chat):
    """Does the terminal edit lines by itself, and echo?"""
    flags = termios.tcgetattr(chat.child.fileno())[3]
    return bool(flags & termios.ICANON), bool(flags & termios.ECHO)


def begin_story(terminal):
    chat = terminal(*LONG)
    chat.type(STORY + "\r")
    chat.wait_for("Assistant: ")
    return chat


def test_ctrl_c_after_a_lone_escape(terminal):
    chat = terminal()
    chat.type("half a line\x1b")                # the beginning of a key that never comes
    chat.wait_for("half a line")
    time.sleep(0.2)
    chat.child.sendintr()
    chat.wait_for("You: ")
    chat.type("/non\u00e9\u6f22\x1b[D\x7f\r")   # one that comes
    chat.wait_for("there is no /non\u6f22")
    chat.wait_for("You: ")
    chat.type("\x03\x03")
    assert chat.end() == 130


def test_ctrl_c_where_nothing_is_typed_is_asked_for_again(terminal):
    """It may have been meant for a reply that ended just before."""
    chat = terminal("--max-new-tokens", "2")
    for _ in range(2):
        chat.child.sendintr()
        chat.wait_for("Ctrl-D or quit ends the chat, or Ctrl-C once more")
        chat.wait_for("You: ")
        chat.type("/set\r")                     # what comes in between begins it anew
        chat.wait_for("strategy:")
        chat.wait_for("You: ")
    chat.child.sendintr()
    chat.wait_for("once more")
    chat.wait_for("You: ")
    chat.child.sendintr()
    assert chat.end() == 130
    assert chat.lines()[-1] == "Goodbye!"


def test_a_reply_goes_on_after_the_history_was_searched(terminal, real):
    chat = begin_story(terminal)
    chat.type("\x12long")
    chat.wait_for("bck:")
    time.sleep(2)                               # longer than a silence that means lost
    wait_until(lambda: real.lines("status")[0]["clients"] >= 2, what="the chat, beside who asks")
    wait_until(lambda: [r["state"] for r in real.lines("ps")[0]["requests"]] == ["resting"], what="the reply rests")
    chat.child.sendintr()                       # takes the search back
    wait_until(lambda: [r["attempt"] for r in real.lines("ps")[0]["requests"] if r["state"] == "running"] == [2],
               what="the reply goes on")
    chat.child.sendintr()                       # ends the reply
    chat.wait_for("You: ")
    chat.type("q\r")
    assert chat.end() == 0


def test_keys_right_after_ctrl_c_belong_to_the_next_line(terminal):
    chat = terminal()
    for _ in range(5):
        chat.type("half\x03/nonsense\r")        # all at once: none is lost, none goes with the line that is taken back
        chat.wait_for("half")
        chat.wait_for("there is no /nonsense:")
        chat.wait_for("You: ")
    chat.type("/non\x03\x03\x03")
    assert chat.end() == 130


def test_ctrl_c_is_a_key_while_a_line_is_edited(terminal, real):
    """A terminal that makes a signal of it throws away what is not read yet, so that what is read next may come after it."""
    def interrupt_key():
        return termios.tcgetattr(chat.child.fileno())[6][termios.VINTR]
    chat = begin_story(terminal)
    assert interrupt_key() == b"\x03"           # nobody reads keys while a reply is written
    chat.child.sendintr()
    chat.wait_for("You: ")
    assert interrupt_key() == b"\x00"
    chat.type("q\r")
    wait_until(lambda: not chat.child.isalive(), what="its end")
    assert interrupt_key() == b"\x03"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("where", ["editing", "writing"])
def test_signals_end_it_and_the_terminal_is_given_back(terminal, real, where, number):
    chat = begin_story(terminal) if where == "writing" else terminal()
    if where == "editing":
        chat.type("half a line")
        chat.wait_for("half a line")
    assert modes(chat) == (False, False)
    chat.child.kill(number)
    wait_until(lambda: not chat.child.isalive(), what="its end")
    assert modes(chat) == (True, True)
    wait_until(lambda: not real.lines("ps")[0]["requests"], what="the end of its request")


def test_ctrl_z_and_back(real):
    shell = Terminal(real, "-i", program="/bin/sh", environment={"PS1": "$ "})
    shell.type(f"{BUILD}/trivium chat\r")
    shell.wait_for("You: ")
    for _ in range(2):
        shell.type("half a ")
        shell.wait_for("half a ")
        shell.type("\x1a")
        shell.wait_for("$ ")
        shell.type("stty -a\r")
        shell.wait_for(" icanon")
        shell.type("fg\r")
        shell.wait_for("You: half a ")
        shell.type("\x15")
    shell.type("quit\r")
    shell.wait_for("Goodbye!")
    shell.kill()


def test_a_narrower_window(terminal):
    chat = terminal()
    chat.type("one two three")
    chat.wait_for("three")
    chat.child.setwinsize(100, 20)
    chat.screen.resize(100, 20)
    chat.wait_for("You: one two three")
    chat.type(" four five")
    chat.wait_for("five")
    assert chat.lines()[-2:] == ["You: one two three f", "our five"]


def test_a_line_that_is_longer_than_the_screen(terminal):
    chat = terminal("--max-new-tokens", "4", "--max-history-tokens", "64", n_rows=12)
    for _ in range(18):
        chat.type("word " * 20)
        chat.wait_for("word")
    chat.type("\r")
    chat.wait_for("your message does not fit")
    chat.wait_for("Assistant: ")
    chat.wait_for("You: ")
    chat.type("\x1b[Aq\x01\x0bq\r")             # it is in the history; to its beginning, all of it away
    assert chat.end() == 0


def test_words_of_a_reply_are_whole(terminal, real):
    flags = ["--seed", "7", "--max-new-tokens", "50"]
    text = real.lines("chat", *flags, input=f"{STORY}\n".encode())[0]["reply"]["text"]
    chat = terminal(*flags)
    chat.type(STORY + "\r")
    chat.wait_for("Assistant: ")
    chat.wait_for("You: ")
    lines = chat.lines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("Assistant: "))
    own = [line for line in lines[begin:-1] if not line.startswith("  cut at ")]
    shown = " ".join(own).removeprefix("Assistant: ")
    assert shown.split() == text.split()
    assert len(lines[begin:-1]) > 3


def test_no_reply_commands_the_terminal(terminal, real):
    escape = real.lines("tokenize", "\x1b")[0]["ids"]
    assert len(escape) == 1
    flags = ["--logit-bias", f"{escape[0]}=1000", "--max-new-tokens", "3", "--seed", "1"]
    chat = terminal(*flags)
    chat.type("Hello\r")
    chat.wait_for("Assistant: " + 3 * "\\x1b")
    alone = Terminal(real, "generate", "Hello", *flags)
    assert alone.end() == 0
    assert alone.lines()[-1] == 3 * "\\x1b"
    assert real.text("Hello", *flags) == b"\x1b\x1b\x1b\n"      # into a pipe as it is


def test_what_is_said_in_turn_is_answered_in_turn(terminal, real, tmp_path):
    """Also where the reply ends while the next line is typed: here from elsewhere."""
    chat = begin_story(terminal)
    chat.type("second\r")
    chat.wait_for("You: second")
    chat.type("third")
    chat.wait_for("third")
    real.lines("cancel")
    wait_until(lambda: not real.lines("ps")[0]["requests"], what="the end of the reply")
    chat.type("\r")
    chat.wait_for("ended from elsewhere")
    for said in ("second", "third"):
        chat.wait_for(f"You: {said}")
        chat.wait_for("Assistant: ")
        chat.child.sendintr()
