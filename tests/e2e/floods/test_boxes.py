"""Whoever has a key and asks for too much: what lies in boxes is bounded as what lies open, and nobody else pays."""
import pytest

from conftest import wait_until
from curve import COMMAND, MORE, PROPERTIES, Joiner
from few_files import LONG
from pouring import pour, repeated
from roads import RoadStack
from witness import Witness, held_bytes, n_descriptors
import zmtp

MESSAGE_BYTES_MAX = 1 << 20                 # limits.h
HELD_BYTES_MAX = 96 << 20                   # beside what was held before: two budgets, what is on the road, and copies
PING = b"\x04PING\x00\x00"


def each(joiner, n, body, flags, at_once=1, pause_s=0):
    """Boxes of their own, so many in one go."""
    for _ in repeated(None, n, pause_s):
        yield b"".join(joiner.boxed(body, flags) for _ in range(at_once))


FLOODS = {
    "parts": lambda one: each(one, 1000, bytes(1 << 18), MORE),
    "slow parts": lambda one: each(one, 4000, bytes(1 << 14), MORE, pause_s=0.005),
    "empty parts": lambda one: each(one, 5000, b"", MORE, at_once=100),
    "pings": lambda one: each(one, 1000, PING, COMMAND),
    "pings as parts": lambda one: each(one, 1000, PING, MORE),
    "commands": lambda one: each(one, 1000, b"\x05OTHER".ljust(1 << 16), COMMAND),
    "commands that come out as parts": lambda one: each(one, 20000, b"\x09SUBSCRIBE".ljust(500), COMMAND | MORE, at_once=10),
    "a large frame": lambda one: repeated(zmtp.frame(bytes(2 * MESSAGE_BYTES_MAX)), 1000),
    "parts by their heads": lambda one: repeated(zmtp.frame(bytes(100), zmtp.MORE), 1000, 0.001),
    "commands by their heads": lambda one: repeated(zmtp.frame(bytes(100), zmtp.COMMAND), 1000, 0.001),
}


@pytest.fixture(scope="module")
def guarded(models):
    with RoadStack("keys", models(**LONG)) as one:
        yield one


def joined(stack):
    return Joiner(stack.clients, stack.keys.servers["tokenizerd"], stack.keys.own["client"])


@pytest.mark.parametrize("kind", FLOODS)
def test_what_never_ends_is_cut(guarded, kind):
    daemon = guarded.tokenizerd
    n_before, before, most = n_descriptors(daemon), held_bytes(daemon), 0
    with Witness(guarded) as witness:
        for _ in range(2):
            with joined(guarded) as one:
                one.shake_hands()
                pour(one.socket, FLOODS[kind](one))
            most = max(most, held_bytes(daemon) - before)
        witness.reads_on()
        assert guarded.text("Once", "--max-new-tokens", "3")
    assert most < HELD_BYTES_MAX, most >> 20
    wait_until(lambda: n_descriptors(daemon) <= n_before + 2, what="their descriptors")
    assert daemon.poll() is None


def test_a_name_that_zeromq_gives_itself_is_refused(guarded):
    """It would end the daemon as soon as ZeroMQ came to give it to somebody else."""
    with joined(guarded) as one, pytest.raises(ConnectionError):
        one.shake_hands(PROPERTIES[:-4] + b"\0\0\0\5\0abcd")
    assert guarded.text("Once", "--max-new-tokens", "3")
