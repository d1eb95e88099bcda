"""Texts that tiny tables write are those of large ones, to the byte: bits do not depend on limits."""
import os
import pathlib

import pytest

from conftest import ROOT, wait_until
from tables import TinyClient, TinyStack, tiny_limit
import common_pb2

PROMPT = "Once upon a time there was a fox, and the fox said: " * 4     # several pages, many passes
SAMPLED = ("--temperature", "1.2", "--max-new-tokens", "60", "--ignore-eos")


class LargeStack(TinyStack):
    """Daemons of the other build; the client is the same."""
    def start(self, role, *arguments, **keywords):
        return super().start(role, *arguments, program=pathlib.Path(os.environ["TRIVIUM_LARGE_BUILD"]) / role, **keywords)


def test_a_model_of_chance(models):
    """Prompts in few or many passes and pages, alone, together, and going on from what is cached."""
    def texts(kind):
        with kind(models(type="Q4_1", seed=1)) as one:
            alone = [one.text(PROMPT[:n], "--seed", n, *SAMPLED) for n in (1, 20, 100)]
            both = [one.popen("generate", PROMPT[n:], "--seed", n, *SAMPLED, "--session", f"s{n}") for n in (0, 60)]
            together = [client.communicate(timeout=60)[0] for client in both]
            return alone + together + [one.text(PROMPT + "so", "--seed", "9", *SAMPLED, "--session", "s0"),
                                       one.run("score", PROMPT, "--json").stdout]
    tiny, large = texts(TinyStack), texts(LargeStack)
    assert all(tiny) and tiny == large


def rests(client):
    """A text that rests: it keeps its place, and nothing has to be read of it."""
    client.pause(client.begun())
    assert [one.state for one in client.is_heard()][-1] == "resting"


def text_is_refused(client):
    """False: there was a place for it."""
    client.generate()
    done = client.done()
    assert not done.HasField("error") or f"{tiny_limit('REQUESTS_MAX')} texts are under way" in done.error.message, done
    return done.HasField("error")


def scores_are_refused(client):
    """Some of too many: those that find a place share their passes with the text."""
    calls = {client.score() for _ in range(2 * tiny_limit("CALLS_MAX"))}
    codes = []
    while calls:
        kind, message, _ = client.answers.get(timeout=60)
        answer = getattr(message, kind) if kind in ("failed", "scored") else None
        if answer and answer.call in calls:
            calls.remove(answer.call)
            codes.append(answer.error.code if kind == "failed" else "scored")
    assert "scored" in codes and {*codes} <= {"scored", common_pb2.BUSY}
    return common_pb2.BUSY in codes


@pytest.fixture(params=["SmolLM2", "chapter"])
def model(request):
    if request.param == "SmolLM2":
        return request.getfixturevalue("real_model")
    return ROOT / "deploy" / "chapter" / "chapter.gguf"


def test_full_tables_around_a_text(model, fakes):
    asked = (PROMPT, "--seed", "7", *SAMPLED)
    with LargeStack(model) as large:
        text = large.text(*asked)
    with TinyStack(model) as tiny:
        ann, bob, carl = (fakes(TinyClient, tiny.clients, name) for name in ("ann", "bob", "carl"))
        with tiny.held():
            writer = tiny.popen("generate", *asked)
            wait_until(lambda: "opened request=" in tiny.log(tiny.modeld), what="a text")
            for client in (ann, ann, carl):     # ann has her share then
                rests(client)
            assert text_is_refused(bob)
        n_busy = scores_are_refused(bob)
        while text_is_refused(bob):         # until the writer's place is free
            n_busy += scores_are_refused(bob)
        assert writer.wait(60) == 0, writer.stderr.read().decode()
        assert n_busy > 0
        assert writer.stdout.read() == text and text
