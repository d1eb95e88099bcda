"""`chat MESSAGE`: one message, and its reply is all that is printed."""
import json

from terminal import Terminal

QUESTION = "Why is the sky blue?"
FLAGS = ("--seed", "1", "--max-new-tokens", "30")


def reply(real, question, *flags):
    """What the same message gets through a pipe, as the first of a chat."""
    return real.lines("chat", *FLAGS, *flags, input=question.encode() + b"\n")[0]["reply"]["text"]


def test_one_message_has_one_reply(real):
    done = real.run("chat", QUESTION, *FLAGS, input=b"this is not read\n")
    assert done.returncode == 0
    assert done.stdout.decode() == reply(real, QUESTION) + "\n"
    assert done.stderr.decode() == "trivium: cut at 30 tokens: --max-new-tokens\n"
    line, = real.lines("chat", QUESTION, *FLAGS)
    assert line["reply"]["text"] == reply(real, QUESTION) and line["reply"]["limit"] == "max_new_tokens"


def test_all_of_stdin_is_one_message(real, tmp_path):
    message = 'def f(x):\n    """One more."""\n    return x + 1\n\n/show me what it does'
    done = real.run("chat", "-", *FLAGS, "--system", "You are brief.", input=message.encode() + b"\n")
    quoted = real.lines("chat", *FLAGS, "--system", "You are brief.", input=b'"""' + message.encode() + b'"""\n')
    assert done.stdout.decode() != quoted[0]["reply"]["text"] + "\n", "a mark within it would have ended it"
    asked = {"messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": message}]}
    same, = real.lines("generate", "--input", "-", *FLAGS, input=json.dumps(asked).encode())
    assert done.stdout.decode() == same["text"].strip() + "\n"


def test_what_cannot_be_said(real):
    assert "an empty message has no reply" in real.refused("chat", "")
    assert "zero byte" in real.refused("chat", "-", input=b"a\0b")
    assert "not UTF-8" in real.refused("chat", "-", input=b"\xff")
    assert 'unexpected "two"' in real.refused("chat", "one", "two", code=2)


def test_a_terminal_shows_the_reply_alone_in_whole_words(real):
    text = reply(real, QUESTION)
    chat = Terminal(real, "chat", QUESTION, *FLAGS, n_columns=40)
    assert chat.end() == 0
    shown = " ".join(chat.lines())
    assert shown.startswith(text + " trivium: cut at 30 tokens")
