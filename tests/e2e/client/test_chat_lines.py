"""Messages of several lines: in quotes, after a backslash; at a terminal and through a pipe."""
from terminal import said, save, terminal, wait_for_reply  # noqa: F401: terminal is a fixture

BRIEF = ["--seed", "1", "--max-new-tokens", "4"]


def piped(stack, folder, text):
    """What `chat` hears of this text, and its notes."""
    file = folder / "talk.jsonl"
    done = stack.run("chat", *BRIEF, "--json", input=f"{text}\n/save {file}\n".encode())
    assert done.returncode == 0, done.stderr.decode()
    return said(file), done.stderr.decode()


def test_through_a_pipe(real, tmp_path):
    text = '"""\n    def f():\n\treturn "a\\\\"\n\n"""\nOne\\\n  two  \n"""quit"""\n """/help\n\n  x """\n"Hello"'
    heard, _ = piped(real, tmp_path, text)
    assert heard == ['    def f():\n\treturn "a\\\\"', "One\n  two", "quit", "/help\n\n  x", '"Hello"']


def test_a_pipe_that_ends_within_quotes(real):
    done = real.run("chat", *BRIEF, "--json", input=b'"""\nHello\nyou')
    assert done.returncode == 0
    assert 'the input ended within """' in done.stderr.decode()
    assert len(done.stdout.splitlines()) == 1
    done = real.run("chat", *BRIEF, "--json", input=b"Hello\\\nyou\\\n")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, b"", 1)


def test_at_a_terminal(terminal, tmp_path):
    file = tmp_path / "talk.jsonl"
    chat = terminal(*BRIEF)
    chat.type('"""Look:\r')
    chat.wait_for("...: ")
    chat.type("    x = 1\r")
    chat.wait_for("...: ")
    chat.type('"""\r')
    wait_for_reply(chat)
    chat.type("One\\\rtwo\r")
    chat.wait_for("...: two")
    wait_for_reply(chat)
    chat.type("three\\\r")
    chat.wait_for("...: ")
    chat.child.sendintr()                       # all of it goes
    chat.wait_for("You: ")
    chat.type('"""\rfour\r')
    chat.wait_for("four")
    chat.wait_for("...: ")
    chat.type("\x04")                           # the end of the message, not of the chat
    wait_for_reply(chat)
    save(chat, file)
    chat.type("\x04")
    chat.wait_for("Goodbye!")
    assert chat.end() == 0
    assert said(file) == ["Look:\n    x = 1", "One\ntwo", "four"]


def test_a_message_of_several_lines_comes_back(terminal, tmp_path):
    file = tmp_path / "talk.jsonl"
    chat = terminal(*BRIEF)
    chat.type('"""\rif x:\r    y()\r"""\r')
    wait_for_reply(chat)
    chat.type("\x1b[A")
    chat.wait_for("    y()")
    assert chat.lines()[-2:] == ["You: if x:", "    y()"]
    chat.type(7 * "\x7f" + "pass\r")      # up to the newline, which stays
    wait_for_reply(chat)
    save(chat, file)
    chat.type("q\r")
    assert chat.end() == 0
    assert said(file) == ["if x:\n    y()", "if x:\npass"]
