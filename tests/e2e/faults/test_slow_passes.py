"""While the engine is at a pass that takes as long as this test, modeld answers everything that needs no pass."""
import re

import pytest

from conftest import BUILD, Stack, wait_until

PASS_S = 60                     # far longer than anybody is waited for
HEARTBEAT_MS = "100"
PROMPT = "Once upon a time"


@pytest.fixture
def slow(models):
    """A stack whose passes take PASS_S as soon as its file `slow` is there."""
    with Stack() as one:
        one.slow = one.folder / "slow"
        environment = dict(one.environment, PASS_MS=str(PASS_S * 1000), SLOW_FROM=str(one.slow))
        one.tokenizerd = one.start("tokenizerd", "--heartbeat-ms", HEARTBEAT_MS)
        one.modeld = one.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000), "--heartbeat-ms", HEARTBEAT_MS,
                               "--log", "debug", program=BUILD / "tests" / "slow_modeld", env=environment)
        one.samplerd = one.start("samplerd", "--heartbeat-ms", HEARTBEAT_MS)
        one.wait_ready()
        yield one


def passes(stack):
    return stack.log(stack.modeld).count(" pass ")


def begin(stack):
    """A text in the middle of a pass that does not end."""
    text = stack.popen("generate", PROMPT, "--ignore-eos", "--max-new-tokens", "50000", "--json")
    request = stack.running(n_steps=2)[0]["request"]
    stack.slow.touch()
    seen = [-1]

    def stands():
        seen.append(passes(stack))
        return seen[-1] == seen[-2] == seen[-3 if len(seen) > 2 else 0]
    wait_until(stands, what="a pass that does not end")
    return text, request


def test_everybody_is_answered_and_nobody_is_lost(slow):
    text, request = begin(slow)
    n_passes = passes(slow)
    tuned, = slow.lines("tune", request, "--temperature", "0.25")
    assert {"temperature": 0.25} in tuned["strategy"]
    second = slow.popen("generate", "Another one", "--json", "--max-new-tokens", "5")
    wait_until(lambda: len(slow.lines("ps")[0]["requests"]) == 2, what="a text that was opened")
    probed, = slow.lines("probe", "--logits", "1,2,3")
    assert len(probed["probs"]) == 3
    assert slow.model()["sequences"] == 2
    cancelled, = slow.lines("cancel", request)
    assert cancelled["request"] == request
    text.communicate(timeout=PASS_S)
    assert passes(slow) == n_passes, "all of that was answered during one pass"
    # Ten times as long as a silent peer is waited for.
    pings = int(slow.lines("status")[0]["daemons"][0]["uptime_s"])
    wait_until(lambda: slow.lines("status")[0]["daemons"][0]["uptime_s"] > pings + 3, what="three seconds")
    assert passes(slow) == n_passes
    for daemon in (slow.tokenizerd, slow.modeld, slow.samplerd):
        assert not re.search(r" (modeld_)?left ", slow.log(daemon))
    second.kill()


def test_a_text_that_is_closed_during_its_pass_is_over(slow):
    text, request = begin(slow)
    n_passes = passes(slow)
    slow.lines("cancel", request)
    text.communicate(timeout=PASS_S)
    wait_until(lambda: slow.model()["sequences"] == 0, what="no sequence")
    assert passes(slow) == n_passes
