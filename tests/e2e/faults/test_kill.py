"""Whatever happens to the daemons and links while texts are written: a pause, and the same texts to the byte.

Rounds by name (tests/kills): one of each kind over Unix sockets and over tcp with keys, and one that nobody has seen before.
`make soak` runs many.
"""
import random

import pytest

from kills.fault import KINDS
from kills.round import N_CLIENTS, N_TOKENS, round_of
from kills.strategy import STRATEGIES
from rounds import hold, paths, undisturbed             # noqa: F401 (fixtures)

# Together: all models, one client and eight, a tune before the fault.
NUMBERS = (191, 1, 64, 66, 23, 110, 21, 381, 395, 170, 374, 390, 393, 380, 390, 396, 399)
TRANSPORTS = ("ipc", "keys")
FIXED = [f"{kind}-{number}-{transport}" for kind, number in zip(KINDS, NUMBERS, strict=True) for transport in TRANSPORTS]
FRESH = f"{random.SystemRandom().choice(KINDS)}-{random.SystemRandom().randrange(10 ** 6, 10 ** 9)}"


def marks_of(plan):
    return [pytest.mark.slow] if plan.model == "real" or len(plan.texts) > 1 else []


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks_of(round_of(name))) for name in FIXED])
def test_a_fault_is_a_pause(name, paths, undisturbed):
    hold(round_of(name), paths, undisturbed)


@pytest.mark.slow
def test_so_is_one_that_nobody_has_seen_before(paths, undisturbed, capsys):
    with capsys.disabled():
        print(f"\n{round_of(FRESH)}")
    hold(round_of(FRESH), paths, undisturbed)


def test_the_fixed_rounds_have_all_that_rounds_can_have():
    rounds = [round_of(name) for name in FIXED]
    assert {plan.kind for plan in rounds} == set(KINDS)
    assert {plan.model for plan in rounds} == set(N_TOKENS)
    assert {plan.transport for plan in rounds} == set(TRANSPORTS)
    assert {len(plan.texts) for plan in rounds} == {1, N_CLIENTS}
    assert {text.strategy for plan in rounds for text in plan.texts[:1]} == set(STRATEGIES)
    assert {bool(plan.tune) for plan in rounds} == {True, False}
