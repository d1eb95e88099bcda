"""Several modelds of one model, and not all of them have a samplerd: texts are written by those that have, with the same bytes."""
import signal

import pytest

from conftest import Stack, wait_until

TEXT = ("hello", "--temperature", "1.5", "--ignore-eos", "--wait", "60")
SHAPE = {"type": "Q8_0", "seed": 3, "context": 4096, "vocab": 600}
N_TEXTS = 4


def flags(i, n_tokens):
    return (*TEXT, "--seed", i, "--max-new-tokens", n_tokens)


@pytest.fixture(scope="module")
def alone(models):
    """Each text, written by one modeld with one samplerd."""
    with Stack() as stack:
        stack.start_all(models(**SHAPE))
        return {n: [stack.text(*flags(i, n)) for i in range(N_TEXTS)] for n in (20, 1500)}


@pytest.fixture
def pair(stack, models):
    """Two modelds, whose samplerds join a place of each."""
    stack.start("tokenizerd")
    places = [f"ipc://{stack.folder}/samplers{i}" for i in range(2)]
    stack.pair = [stack.start("modeld", "--model", models(**SHAPE), "--name", "made", "--bind-samplers", place, "--log", "debug",
                               "--step-deadline-ms", 60000) for place in places]
    stack.join = [lambda place=place: stack.start("samplerd", "--join", place) for place in places]
    wait_until(lambda: len([d for d in stack.daemons() if d["role"] == "modeld" and d["state"] == "ready"]) == 2, what="both")
    return stack


def begin(stack, n_tokens):
    return [stack.popen("generate", *flags(i, n_tokens)) for i in range(N_TEXTS)]


def all_are(clients, texts):
    said = [client.communicate(timeout=100) for client in clients]
    assert [client.returncode for client in clients] == [0] * N_TEXTS, said
    assert [out for out, _ in said] == texts


def opened(stack, modeld):
    return stack.log(modeld).count(" opened ")


def test_texts_go_to_the_one_that_has_a_samplerd(pair, alone):
    assert "not ready: no samplerd of 'made' is here" in pair.refused("status", "--ready", "--model", "made")
    waiting = pair.popen("generate", *flags(0, 20))
    wait_until(lambda: sum(opened(pair, one) for one in pair.pair) == 1, what="a text that waits for a samplerd")
    with_none = 0 if opened(pair, pair.pair[0]) else 1
    pair.join[1 - with_none]()
    assert waiting.communicate(timeout=60)[0] == alone[20][0]      # it was at the other one
    assert pair.run("status", "--ready", "--model", "made", "--wait", "60").returncode == 0
    all_are(begin(pair, 20), alone[20])
    assert opened(pair, pair.pair[with_none]) == 1
    assert pair.run("score", "hello").returncode == 0


def test_texts_go_on_at_the_other_one_when_a_samplerd_is_killed(pair, alone):
    samplerds = [join() for join in pair.join]
    pair.wait_ready(5)
    clients = begin(pair, 1500)
    wait_until(lambda: all(opened(pair, one) for one in pair.pair), what="texts at both")
    lost = samplerds[1]
    lost.send_signal(signal.SIGKILL)
    lost.wait()
    all_are(clients, alone[1500])


def test_readiness_is_of_a_pair(pair):
    """A samplerd at a modeld that drains is of no use to what is new."""
    pair.samplerd = pair.join[0]()
    pair.wait_ready(4)
    assert pair.run("status", "--ready", "--model", "made", "--wait", "60").returncode == 0
    with pair.held():
        text = pair.popen("generate", *flags(0, 4000))
        wait_until(lambda: opened(pair, pair.pair[0]), what="a text at the first")
        order = pair.popen("drain", "made", "--pid", pair.pair[0].pid)
        sentence = "not ready: no samplerd that answers is at a modeld of 'made' that takes what is new"
        wait_until(lambda: sentence in pair.run("status", "--ready").stderr.decode(), what="a modeld that drains")
        pair.join[1]()
        wait_until(lambda: pair.run("status", "--ready", "--model", "made").returncode == 0, what="the other's samplerd")
    pair.kill(text)
    order.communicate(timeout=60)
