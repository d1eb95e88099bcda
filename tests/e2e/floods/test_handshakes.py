"""Handshakes that do not come to an end: cut at any byte, or a byte at a time. Whoever has joined stays, and nothing is left."""
import contextlib
import time

import pytest

from conftest import TIMEOUT_S, wait_until
from curve import GREETING, HANDSHAKE_BYTES, Joiner
from few_files import LONG
from roads import RoadStack
from witness import Witness, n_descriptors
import zmtp

N_SLOW = 100
BYTE_PAUSE_S = 0.05                         # so that a whole one takes longer than any has
CLEAR = zmtp.GREETING + zmtp.READY


@pytest.fixture(scope="module", params=["ipc", "tcp", "keys"])
def stack(request, models):
    with RoadStack(request.param, models(**LONG)) as one:
        yield one


def begin(stack):
    return Joiner(stack.clients, stack.keys.servers["tokenizerd"], stack.keys.own["client"])


def say_first(stack, n_bytes):
    """The first bytes of a handshake, on a connection that then ends."""
    if stack.road == "keys":
        with begin(stack) as one:
            one.send_only(n_bytes)
        return
    with zmtp.bare(stack.clients) as one:
        one.sendall(CLEAR[:n_bytes])


def test_a_handshake_may_end_at_any_byte(stack):
    daemon = stack.tokenizerd
    n_before = n_descriptors(daemon)
    with Witness(stack) as witness:
        for n_bytes in range(HANDSHAKE_BYTES if stack.road == "keys" else len(CLEAR)):
            say_first(stack, n_bytes)
        witness.reads_on()
        assert stack.text("Once", "--max-new-tokens", "3")
        wait_until(lambda: n_descriptors(daemon) <= n_before + 2, what="their descriptors")
        if stack.road != "ipc":
            wait_until(lambda: " refused address=127.0.0.1 endpoint=tcp://127.0.0.1:" in stack.log(daemon), what="what the log has of them")


def say_slowly(made, said):
    """A byte of it on each, and again, until all of them were cut."""
    for byte in said:
        for one in list(made):
            try:
                one.sendall(bytes([byte]))
            except ConnectionError:
                made.remove(one)
        if not made:
            break
        time.sleep(BYTE_PAUSE_S)


def is_cut(one):
    one.settimeout(TIMEOUT_S)
    with contextlib.suppress(ConnectionError):
        while one.recv(4096):
            pass
    return True


def test_a_handshake_has_its_time(stack):
    daemon = stack.tokenizerd
    n_before = n_descriptors(daemon)
    with Witness(stack) as witness, contextlib.ExitStack() as held:
        made = [held.enter_context(zmtp.bare(stack.clients)) for _ in range(N_SLOW)]
        all_made = list(made)
        say_slowly(made, GREETING + bytes([zmtp.COMMAND, 200]) + b"\x05HELLO" if stack.road == "keys" else CLEAR[:-1])
        for one in all_made:
            assert is_cut(one)
        witness.reads_on()
        assert stack.text("Once", "--max-new-tokens", "3")
        wait_until(lambda: n_descriptors(daemon) <= n_before + 2, what="their descriptors")


def greetings_of_others(road):
    plain = zmtp.GREETING[:12] + b"PLAIN".ljust(20, b"\0") + bytes(32)
    return plain, zmtp.GREETING if road == "keys" else GREETING


def test_another_mechanism_gets_no_further(stack):
    for daemon, address in ((stack.tokenizerd, stack.clients), (stack.tokenizerd, stack.models), (stack.modeld, stack.samplers)):
        n_before = n_descriptors(daemon)
        for greeting in greetings_of_others(stack.road):
            with zmtp.bare(address) as one:
                with contextlib.suppress(ConnectionError):
                    one.sendall(greeting)
                assert is_cut(one)
        wait_until(lambda: n_descriptors(daemon) <= n_before, what="their descriptors")
