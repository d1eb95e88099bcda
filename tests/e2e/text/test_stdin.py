"""A text from stdin: one newline at its end is no part of it, unless --keep-newline says so."""
import pytest

TEXT = b"Once upon a time"


def ids(stack, text, *flags):
    return stack.lines("tokenize", "-", *flags, input=text)[0]["ids"]


def test_one_newline_is_left_out(tiny):
    whole = tiny.lines("tokenize", TEXT.decode())[0]["ids"]
    assert ids(tiny, TEXT) == ids(tiny, TEXT + b"\n") == whole
    assert ids(tiny, TEXT + b"\n", "--keep-newline") == tiny.lines("tokenize", TEXT.decode() + "\n")[0]["ids"] != whole
    assert ids(tiny, TEXT + b"\n\n") == ids(tiny, TEXT + b"\n", "--keep-newline")
    assert ids(tiny, b"\n" + TEXT) == tiny.lines("tokenize", "\n" + TEXT.decode())[0]["ids"]
    assert ids(tiny, TEXT + b"\r\n") == ids(tiny, TEXT + b"\r") != whole        # as bytes go: only the newline
    assert ids(tiny, b"\n") == ids(tiny, b"") == []


def test_a_word_is_as_it_is(tiny):
    """Who types a newline means it."""
    assert tiny.lines("tokenize", "a\n") != tiny.lines("tokenize", "a")


def test_stdin_without_a_word_too(tiny):
    assert tiny.run("tokenize", input=TEXT + b"\n").stdout == tiny.run("tokenize", TEXT.decode()).stdout


@pytest.mark.parametrize("command", [
    ("tokenize",), ("score",), ("generate", "--seed", "1", "--max-new-tokens", "5", "--ignore-eos"),
    ("explore", "temperature", "--temperatures", "0.5", "--samples", "1", "--max-new-tokens", "4"),
    ("explore", "top-p", "--max-new-tokens", "4")], ids=" ".join)
def test_every_command_that_reads_a_text(tiny, command):
    def said(word, *more, **keywords):
        """What does not differ between two runs: a generation's first line has its id, its last the times."""
        return [line for line in tiny.lines(*command, word, *more, **keywords) if not {"start", "done"} & set(line)]
    plain, kept = said(TEXT.decode()), said(TEXT.decode() + "\n")
    assert said("-", input=TEXT + b"\n") == plain != kept
    assert said("-", "--keep-newline", input=TEXT + b"\n") == kept


def test_only_a_newline_is_an_empty_prompt(tiny):
    assert "empty" in tiny.refused("generate", "-", input=b"\n")


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_the_readme_says_paris(real, newline):
    lines = real.lines("generate", "-", "--greedy", "--max-new-tokens", "6", input=b"The capital of France is" + newline)
    assert lines[0]["start"]["prompt_tokens"] == 5
    assert lines[-1]["done"]["text"] == " Paris.\n\nThe United"
