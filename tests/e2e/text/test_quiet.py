"""What stands beside a text: nothing where nobody needs it, all where somebody asks, and on a terminal how to have the text again;
and what is said where a terminal is waited for."""
import re

import pytest

from terminal import Terminal

TEXT = ("generate", "the sky", "--max-new-tokens", "6", "--ignore-eos")
CTRL_D = "\x04"


def shown(stack, *arguments):
    """The lines that a command of its own leaves on a terminal."""
    one = Terminal(stack, *arguments)
    assert one.end() == 0
    return one.lines()


@pytest.mark.parametrize("flags", [(), ("--greedy",), ("--seed", "3"), ("--json",)], ids=" ".join)
def test_nothing_but_the_text_without_a_terminal(tiny, flags):
    assert tiny.run(*TEXT, *flags).stderr == b""


def test_verbose_tells_all(tiny):
    done = tiny.run(*TEXT, "-v", "--seed", "3")
    request, seed, model = done.stderr.decode().splitlines()
    assert re.fullmatch("request [0-9a-f]{32}", request) and seed == "seed 3"
    assert model == f"model {tiny.model()['name']}"
    assert done.stdout == tiny.run(*TEXT, "--seed", "3").stdout


def test_a_made_seed_stands_below_the_text_on_a_terminal(tiny):
    *text, seed = shown(tiny, *TEXT)
    name, number = seed.split()
    assert name == "seed" and int(number) < 1 << 32
    assert shown(tiny, *TEXT, "--seed", number) == text


@pytest.mark.parametrize("flags", [("--greedy",), ("--seed", "3"), ("--json",), ("--verbose",)], ids=" ".join)
def test_a_seed_that_says_nothing_new_is_not_told(tiny, flags):
    assert not shown(tiny, *TEXT, *flags)[-1].startswith("seed")


@pytest.mark.parametrize("arguments, what, typed", [
    (TEXT[:1] + TEXT[2:], "the prompt", "the sky"), (("generate", "-", *TEXT[2:]), "the prompt", "the sky"),
    (("tokenize",), "the text", "the sky"), (("score", "-"), "the text", "the sky"), (("detokenize",), "the ids", "5,6")])
def test_a_terminal_that_is_read_is_told(tiny, arguments, what, typed):
    one = Terminal(tiny, *arguments)
    one.wait_for(f"reading {what} from the terminal: end it with Ctrl-D\r\n")
    one.type(typed + "\n" + CTRL_D)
    assert one.end() == 0
