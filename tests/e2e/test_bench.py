"""`trivium bench`: its machine-readable forms, and what it refuses. No test asserts a time."""
import math
import signal
import time

import pytest


def figures(stack, *arguments):
    line, = stack.lines("bench", *arguments)
    assert all(isinstance(value, (int, float)) for value in line.values()), line
    return line


def test_decode(tiny):
    line = figures(tiny, "decode", "--tokens", "20", "--runs", "2")
    assert set(line) == {"decode_tok_s", "forward_ms", "hop_ms", "sample_ms"}
    hop_ms = line.pop("hop_ms")                # what is left of the interval: on a busy machine it may be nothing
    assert math.isfinite(hop_ms) and all(value > 0 for value in line.values()), line


def test_decode_takes_a_chain(tiny):
    for flags in (["--chain", '[{"top_k": 5}]'], ["--temperature", "0.5"], ["--greedy"]):
        assert figures(tiny, "decode", "--tokens", "8", *flags)["decode_tok_s"] > 0


@pytest.mark.parametrize("n_tokens", [1, 16, 100])
def test_prefill(tiny, n_tokens):
    line = figures(tiny, "prefill", "--tokens", n_tokens)
    assert set(line) == {"prefill_tok_s", "ttft_ms"}
    assert line["prefill_tok_s"] == pytest.approx(n_tokens * 1000 / line["ttft_ms"])


def test_a_prefill_has_exactly_its_tokens(models, stack):
    """The context holds the prompt and one token more: a prompt of another length would not fit, or would
    leave room."""
    stack.start_all(models(type="F32", seed=2, context=64))
    assert figures(stack, "prefill", "--tokens", "63")["ttft_ms"] > 0
    assert "64 tokens" in stack.refused("bench", "prefill", "--tokens", "64")


def test_clients(tiny):
    lines = tiny.lines("bench", "clients", "--clients", "1,3", "--tokens", "10")
    assert [line["clients"] for line in lines] == [1, 3]
    assert all(set(line) == {"clients", "tok_s"} and line["tok_s"] > 0 for line in lines)
    assert tiny.lines("ps")[0]["requests"] == []


def test_tables_for_people(tiny):
    for arguments, heads in [(("decode", "--tokens", "4"), ("decode", "forward pass", "between processes", "sampling")),
                             (("prefill", "--tokens", "4"), ("prefill", "first token after")),
                             (("clients", "--clients", "2", "--tokens", "4"), ("clients", "2"))]:
        done = tiny.run("bench", *arguments)
        assert done.returncode == 0, done.stderr
        assert [line.strip().split("  ")[0] for line in done.stdout.decode().splitlines()] == list(heads)


@pytest.mark.parametrize("arguments", [
    (), ("sideways",), ("decode", "--tokens", "1"), ("decode", "--tokens", "x"), ("prefill", "--tokens", "0"),
    ("prefill", "--clients", "2"), ("clients", "--clients", "0"), ("clients", "--clients", "1,"),
    ("clients", "--clients", "65"), ("decode", "--runs", "0"), ("decode", "--chain", "[]", "--top-k", "5"),
])
def test_wrong_use(tiny, arguments):
    sentence = tiny.refused("bench", *arguments, code=2)
    if arguments in ((), ("sideways",)):
        assert all(name in sentence for name in ("decode", "prefill", "clients"))


def test_a_text_that_the_context_cuts_is_no_measurement(tiny):
    assert "context" in tiny.refused("bench", "decode", "--tokens", "1000000")
    assert "context" in tiny.refused("bench", "clients", "--clients", "2", "--tokens", "1000000")


def test_no_daemons(stack):
    stack.runtime.mkdir(mode=0o700)
    for name in ("decode", "prefill", "clients"):
        sentence = stack.refused("bench", name, "--wait", "0.1")
        assert "trivium up" in sentence and sentence.count("\n") == 1, sentence


@pytest.mark.parametrize("name", ["decode", "clients"])
def test_ctrl_c(models, stack, name):
    stack.start_all(models(type="F32", seed=2, context=1000000))
    process = stack.popen("bench", name, "--tokens", "900000")
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert stack.lines("ps")[0]["requests"] == []
