"""Daemons that are told to end while a pass is computed end soon and cleanly, and whoever wanted something of them is told
once. The passes here are longer than anybody is waited for."""
import os

import pytest

from conftest import Stack, wait_until
from fake_client import FakeClient
from held_pass import PASS_S, held          # noqa: F401: held is a fixture
import text_pb2

TEXT = ("generate", "Once upon a time", "--ignore-eos", "--max-new-tokens", "50000")
ROWS = 500                      # of a prompt, in one pass


def begin(stack):
    """A text and a score, one of them in the pass that is held."""
    text = stack.popen(*TEXT, "--wait", "2")
    stack.running(n_steps=2)
    stack.hold_pass()
    score = stack.popen("score", "It is scored in the next pass", "--wait", "2")
    wait_until(lambda: stack.model()["sequences"] == 2, what="a text and a score")
    stack.wait_held()
    return text, score


def ends_with_a_sentence(client):
    said = client.communicate(timeout=PASS_S / 2)[1].decode().splitlines()
    assert client.returncode == 1
    sentences = [line for line in said if ": waiting for " not in line]
    assert len(sentences) == 1, said
    return sentences[0]


def test_down_in_a_pass(held):
    """None of them has to be killed for it."""
    clients = begin(held)
    done = held.run("down")
    assert done.returncode == 0, done.stderr
    assert [one.wait(PASS_S / 2) for one in (held.tokenizerd, held.modeld, held.samplerd)] == [0, 0, 0]
    for client in clients:
        assert "tokenizerd" in ends_with_a_sentence(client)


def test_a_modeld_that_ends_in_a_pass_ends_what_it_had(held):
    clients = begin(held)
    held.stop(held.modeld)
    assert held.modeld.returncode == 0
    for client in clients:
        assert "modeld" in ends_with_a_sentence(client)
    assert held.lines("ps")[0]["requests"] == []


def test_a_request_has_one_done(held, fakes):
    client = fakes(FakeClient, f"ipc://{held.runtime}/clients")
    client.wait_joined()
    message = client.outgoing()
    body = message.generate
    body.request, body.attempt, body.max_new_tokens, body.ignore_eos, body.wait_ms = os.urandom(16), 1, 50000, True, 3000
    body.strategy.SetInParent()
    body.segments.add(n_bytes=4)
    client.send(message, [b"Once"])
    client.answer("chunk")
    held.hold_pass()
    held.wait_held()
    held.stop(held.modeld)
    done, _ = client.answer("done")
    assert done.reason == text_pb2.FINISH_ERROR and "modeld" in done.error.message
    held.lines("status")                    # all that was said before this has come
    held.stop(held.tokenizerd)
    assert [kind for kind, _, _ in list(client.answers.queue)].count("done") == 0


@pytest.mark.slow
def test_a_pass_is_cut_between_layers(real_model):
    """In plain C a prompt takes the real model many seconds."""
    with Stack() as stack:
        stack.start_all(real_model, "--isa", "ref", "--threads", "1", "--log", "debug")
        text = stack.popen("generate", "word " * ROWS, "--wait", "1")
        wait_until(lambda: stack.model()["sequences"] == 1, what="a prompt in its pass")
        stack.stop(stack.modeld)
        assert stack.modeld.wait(PASS_S) == 0
        assert " pass " not in stack.log(stack.modeld)
        assert text.wait(PASS_S) == 1
