"""Messages that never end, or never become whole: no daemon holds more of them than its bound, and whoever sends them is
cut, however slowly."""
import contextlib
import socket

import pytest

from conftest import TIMEOUT_S, wait_until
from pouring import pour, repeated
from roads import RoadStack, road  # noqa: F401
from witness import Witness, held_bytes, n_descriptors
import zmtp

LONG = {"type": "Q4_1", "seed": 1, "context": 131072}
PART = zmtp.frame(bytes(1 << 18), zmtp.MORE)
HELD_BYTES_MAX = 96 << 20                  # beside what was held before: two budgets, what is on the road, and copies
LATER_BYTES_MAX = 96 << 20


FLOODS = {
    "parts": lambda: repeated(PART, 1000),
    "slow parts": lambda: repeated(PART, 1000, 0.01),
    "empty parts": lambda: repeated(zmtp.frame(b"", zmtp.MORE) * 1000, 1000),
    "tiny parts one by one": lambda: repeated(zmtp.frame(bytes(40), zmtp.MORE), 100000, 0.001),
    "commands that come out as parts": lambda: repeated(zmtp.frame(b"\x09SUBSCRIBE".ljust(500), zmtp.COMMAND | zmtp.MORE) * 1000, 2000),
    "a long command": lambda: repeated(zmtp.frame(bytes(1 << 20), zmtp.COMMAND), 1000),
}


@pytest.fixture(scope="module", params=["ipc", "tcp"])
def long_stack(request, models):
    with RoadStack(request.param, models(**LONG)) as one:
        yield one


@pytest.mark.parametrize("kind", FLOODS)
def test_an_endless_message_is_cut(long_stack, kind):
    stack = long_stack
    for daemon, address in (stack.tokenizerd, stack.clients), (stack.modeld, stack.samplers):
        before, most = held_bytes(daemon), 0
        with Witness(stack) as witness:
            for _ in range(3):
                with zmtp.greeted(address) as one:
                    pour(one, FLOODS[kind]())
                most = max(most, held_bytes(daemon) - before)
            witness.reads_on()
            assert stack.text("Once", "--max-new-tokens", "3")
        assert most < HELD_BYTES_MAX, most >> 20
        assert daemon.poll() is None


def begun(address):
    """A message of which 15 of 16 parts have come, and no more."""
    one = zmtp.greeted(address)
    one.settimeout(TIMEOUT_S)
    one.sendall(bytes([zmtp.LONG]) + (1 << 20).to_bytes(8, "big"))
    for _ in range(15):
        one.sendall(bytes(1 << 16))
    return one


def ended(one):
    try:
        return one.recv(4096, socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_messages_that_never_become_whole_share_one_budget(long_stack):
    """As clients that keep saying what makes them known: only that nothing can be taken of them is their fault."""
    stack, daemon = long_stack, long_stack.tokenizerd
    n_before, before, most = n_descriptors(daemon), held_bytes(daemon), 0
    with Witness(stack) as witness, contextlib.ExitStack() as held:
        made = []
        for _ in range(200):
            with contextlib.suppress(ConnectionError):
                made.append(held.enter_context(begun(stack.clients)))
            most = max(most, held_bytes(daemon) - before)
        witness.reads_on()
        done = stack.run("tokenize", input=b"Once " * 100000)        # large itself, and whole
        assert done.returncode == 0, done.stderr.decode()
        assert most < HELD_BYTES_MAX, most >> 20
    wait_until(lambda: n_descriptors(daemon) <= n_before + 5, what="their descriptors")
    wait_until(lambda: held_bytes(daemon) < before + LATER_BYTES_MAX, what="their memory")
