"""Connections that say nothing: they keep nobody out, end no daemon, and are cut in time."""
import contextlib

import pytest

from conftest import TIMEOUT_S, wait_until
from few_files import LONG, LimitedTo256, LimitedTo1024, files_enough  # noqa: F401
from roads import RoadStack, road  # noqa: F401
from witness import Witness, n_descriptors
import zmtp

N_CONNECTS = 2000
N_ENDS = 20


def strangers(address, say, held):
    """N_CONNECTS connections, each of which says `say`; those that are refused are none."""
    made = []
    for _ in range(N_CONNECTS):
        with contextlib.suppress(OSError):
            one = held.enter_context(zmtp.bare(address))
            made.append(one)
            one.sendall(say)
    assert len(made) > N_CONNECTS / 2
    return made


def wait_cut(one):
    """Until the daemon has ended it, whatever it had said before."""
    one.settimeout(TIMEOUT_S)
    with contextlib.suppress(ConnectionError):
        while one.recv(4096):
            pass


def flood(stack, daemon, address, say):
    n_before = n_descriptors(daemon)
    with Witness(stack) as witness, contextlib.ExitStack() as held:
        made = strangers(address, say, held)
        witness.reads_on()
        assert stack.text("Once", "--max-new-tokens", "3")     # by one that comes after them
        for one in made:
            wait_cut(one)
        wait_until(lambda: n_descriptors(daemon) <= n_before + N_ENDS, what="their descriptors")
        assert daemon.poll() is None, stack.log(daemon)


@pytest.mark.parametrize("say", [b"", zmtp.GREETING[:20], zmtp.GREETING + zmtp.READY], ids=["nothing", "half", "greeting"])
def test_strangers_that_say_nothing_keep_nobody_out(road, models, say):
    with RoadStack(road, models(**LONG)) as stack:
        for daemon, address in ((stack.tokenizerd, stack.clients), (stack.tokenizerd, stack.models),
                                (stack.modeld, stack.samplers)):
            flood(stack, daemon, address, say)


@pytest.mark.parametrize("kind", [LimitedTo1024, LimitedTo256])
def test_files_are_kept_where_few_may_be_open(road, models, kind):
    with kind(road, models(**LONG)) as stack:
        flood(stack, stack.tokenizerd, stack.clients, b"")
        flood(stack, stack.modeld, stack.samplers, zmtp.GREETING + zmtp.READY)
