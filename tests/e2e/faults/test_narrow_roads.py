"""A road on which a large message takes longer than the silence that is allowed: it comes in pieces, each a sign of life."""
import contextlib

import pytest

from held_pass import lost_in
from kills.kept_stack import free_port
from proxy import Proxy
from roads import RoadStack

BYTES_A_SECOND = 40_000
SILENCE_S = 1.5                     # three heartbeats
TEXT = b" through" * 25_000         # a token each
SAID_TWICE = 1.5                    # so many times its bytes


@contextlib.contextmanager
def narrow_road(target):
    with Proxy() as proxy:
        road = proxy.road(f"tcp://127.0.0.1:{free_port()}", target)
        road.throttle(BYTES_A_SECOND)
        yield road


@pytest.fixture(scope="module")
def stack():
    with RoadStack("tcp", "chapter") as one:
        yield one


def test_a_text_and_its_ids_come_over_it_at_once(stack):
    assert len(TEXT) > 2 * SILENCE_S * BYTES_A_SECOND
    with narrow_road(stack.clients) as road:
        done = stack.run("tokenize", "-", "--endpoint", road.address, input=TEXT)
        assert done.returncode == 0, done.stderr
        assert len(TEXT) < road.passed()["there"] < SAID_TWICE * len(TEXT)
    assert done.stdout == stack.run("tokenize", "-", input=TEXT).stdout
    assert not lost_in(stack)


def test_a_modeld_joins_over_it_with_its_vocabulary(stack, models):
    with narrow_road(stack.models) as road:
        far = stack.start("modeld", "--model", models(type="Q4_1", seed=1, vocab=8000), "--name", "far", "--join", road.address,
                          *stack.client_flags)
        done = stack.run("tokenize", "a", "--model", "far", "--wait", "60")
        assert done.returncode == 0, done.stderr
        assert road.passed()["there"] > SILENCE_S * BYTES_A_SECOND
        assert not lost_in(stack)
        stack.stop(far)
