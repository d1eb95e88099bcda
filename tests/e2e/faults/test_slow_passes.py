"""While the engine is at a pass that takes as long as this test, modeld answers everything that needs no pass, and nobody is
lost. What needs one follows in the next."""
import json
import signal
import subprocess

import pytest

from conftest import wait_until
from fake_client import FakeClient
from held_pass import HEARTBEAT_MS, PASS_S, SLOW_MODELD, held, lost_in     # noqa: F401: held is a fixture
from watcher import Watcher

PROMPT = "Once upon a time"
LONG = ("--ignore-eos", "--max-new-tokens", "50000")
FORCED = 7                      # an id that is drawn whenever it gets FORCE
FORCE = ("--logit-bias", f"{FORCED}=1000", "--greedy")


def begin(stack, *arguments):
    """A text in the middle of a pass that is held; its name, and how many passes were over then."""
    text = stack.popen("generate", PROMPT, *LONG, *arguments, "--json")
    request = stack.running(n_steps=2)[0]["request"]
    stack.hold_pass()
    return text, request, stack.wait_held()


def tokens_of(text):
    """(step, id) of each token that it has shown, when it has ended."""
    lines = map(json.loads, text.communicate(timeout=PASS_S)[0].splitlines())
    return {line["step"]: line["id"] for line in lines if "id" in line}


def n_samplerds(stack):
    return len([one for one in stack.daemons() if one["role"] == "samplerd"])


def uptime_s(stack):
    return stack.lines("status")[0]["daemons"][0]["uptime_s"]


def test_everybody_is_answered_and_nobody_is_lost(held):
    text, request, n_passes = begin(held)
    tuned, = held.lines("tune", request, "--temperature", "0.25")
    assert {"temperature": 0.25} in tuned["strategy"]
    second = held.popen("generate", "Another one", "--json", "--max-new-tokens", "5")
    wait_until(lambda: len(held.lines("ps")[0]["requests"]) == 2, what="a text that was opened")
    probed, = held.lines("probe", "--logits", "1,2,3")
    assert len(probed["probs"]) == 3
    wait_until(lambda: held.model()["sequences"] == 2, what="it, in modeld")
    watcher = Watcher(held, request)
    assert watcher.begin["request"] == request
    scoring = held.popen("score", "It is scored in the next pass", "--json")
    wait_until(lambda: held.model()["sequences"] == 3, what="a score that was opened")
    cancelled, = held.lines("cancel", request)
    assert cancelled["request"] == request
    text.communicate(timeout=PASS_S)
    assert watcher.read().end()[1]["finish_reason"] == "cancelled"
    assert held.n_passes() == n_passes, "all of that was answered during one pass"
    since_s = uptime_s(held)    # and then four times as long as a silent peer is waited for
    wait_until(lambda: uptime_s(held) > since_s + 6, what="six seconds")
    assert held.n_passes() == n_passes and not lost_in(held)
    held.release()
    assert second.wait(PASS_S) == 0 and scoring.wait(PASS_S) == 0


def test_a_text_that_is_closed_during_its_pass_is_over(held):
    text, request, n_passes = begin(held)
    held.lines("cancel", request)
    text.communicate(timeout=PASS_S)
    wait_until(lambda: held.model()["sequences"] == 0, what="no sequence")
    assert held.n_passes() == n_passes


@pytest.mark.parametrize("cache", [(), ("--no-kv-cache",)], ids=["cache", "no-kv-cache"])
def test_a_tune_during_its_own_pass_holds_for_the_row_of_that_pass(held, cache):
    text, request, n_passes = begin(held, *cache)
    step = held.step(request)
    tuned, = held.lines("tune", request, *FORCE)
    assert tuned["step"] == step and held.n_passes() == n_passes
    held.release()
    wait_until(lambda: held.step(request) > step + 2, what="some steps more")
    held.lines("cancel", request)
    drawn = tokens_of(text)
    assert drawn[step - 1] != FORCED
    assert {drawn[n] for n in range(step, max(drawn) + 1)} == {FORCED}


def test_ids_are_taken_during_the_pass_of_another_text(held):
    """And a tune of a row that is out at a samplerd holds for the next one, whose pass is to come: it is told so then."""
    held.samplerd.send_signal(signal.SIGSTOP)
    first = held.popen("generate", PROMPT, *LONG, "--json", "--wait", "60")
    wait_until(lambda: held.n_passes() == 1, what="a row for the samplerd")
    first_request = held.lines("ps")[0]["requests"][0]["request"]
    held.hold_pass()
    second = held.popen("generate", "Another one", *LONG, "--json")
    n_passes = held.wait_held()
    tuner = held.popen("tune", first_request, *FORCE, "--json")
    held.samplerd.send_signal(signal.SIGCONT)
    wait_until(lambda: held.step(first_request) == 1, what="an id that is taken")
    tuned = json.loads(tuner.communicate(timeout=PASS_S)[0])
    assert tuned["step"] in (0, 1)      # 0: the step's deadline passed, and its row was not sent again yet
    assert held.n_passes() == n_passes == 1 and held.step(first_request) == 1
    held.release()
    wait_until(lambda: held.step(first_request) > 3, what="some steps more")
    held.lines("cancel", first_request)
    drawn = tokens_of(first)
    assert {drawn[n] for n in range(1, max(drawn) + 1)} == {FORCED}
    second.kill()


def test_tunes_of_many_texts_are_answered_during_one_pass(held, fakes):
    """One after another on one connection, while all positions of each text are computed anew for each id."""
    texts = [held.popen("generate", f"{i} {PROMPT}", *LONG, "--no-kv-cache", "--json", stdout=subprocess.DEVNULL) for i in range(8)]
    wait_until(lambda: len([one for one in held.lines("ps")[0]["requests"] if one["step"] > 0]) == 8, what="eight texts")
    held.hold_pass()
    n_passes = held.wait_held()
    requests = [bytes.fromhex(one["request"]) for one in held.lines("ps")[0]["requests"]]
    tuner = fakes(FakeClient, f"ipc://{held.runtime}/clients")
    tuner.wait_joined()
    for call in range(1, 201):
        message = tuner.outgoing()
        message.tune.call, message.tune.request = call, requests[call % 8]
        message.tune.strategy.steps.add(name="temperature", numbers=[call / 100])
        tuner.send(message)
        tuned, _ = tuner.answer("tuned")
        told = {stage.name: stage.numbers for stage in tuned.change.strategy.steps}
        assert tuned.call == call and told["temperature"] == [call / 100]
    assert held.n_passes() == n_passes and not lost_in(held)
    held.release()
    wait_until(lambda: held.n_passes() > n_passes + 8, what="passes that go on")
    for text in texts:
        text.kill()


def test_samplerds_come_and_go_during_a_pass(held):
    text, request, n_passes = begin(held)
    step = held.step(request)
    later = held.start("samplerd", "--name", "later", "--heartbeat-ms", HEARTBEAT_MS)
    wait_until(lambda: n_samplerds(held) == 2, what="a samplerd that joined")
    held.samplerd.kill()
    wait_until(lambda: n_samplerds(held) == 1, what="a samplerd that was missed")
    last = held.start("samplerd", "--name", "last", "--heartbeat-ms", HEARTBEAT_MS)
    wait_until(lambda: n_samplerds(held) == 2, what="another one")
    held.stop(later)
    wait_until(lambda: n_samplerds(held) == 1, what="a samplerd that left")
    assert held.n_passes() == n_passes
    held.release()
    wait_until(lambda: held.step(request) > step, what="a text that goes on")
    assert last.poll() is None and text.poll() is None


def test_another_tokenizerd_joins_and_leaves_during_a_pass(held):
    held.stop(held.modeld)
    other = f"ipc://{held.runtime}/other"
    held.modeld = held.start("modeld", "--model", held.path, "--heartbeat-ms", HEARTBEAT_MS, "--log", "debug", "--join",
                             f"ipc://{held.runtime}/models", "--join", f"{other}-models", program=SLOW_MODELD)
    wait_until(lambda: held.lines("status")[0]["models"], what="modeld")
    text, request, n_passes = begin(held)
    step = held.step(request)
    for how in (signal.SIGTERM, signal.SIGKILL):
        second = held.start("tokenizerd", "--bind-clients", f"{other}-clients", "--bind-models", f"{other}-models",
                            "--heartbeat-ms", HEARTBEAT_MS)
        there = ("--endpoint", f"{other}-clients")
        wait_until(lambda: held.lines("status", *there)[0]["models"], what="the model at the second tokenizerd")
        opened = held.popen("generate", PROMPT, *there, "--wait", "1")
        wait_until(lambda: held.model()["sequences"] == 2, what="its text")
        held.stop(second, how)
        wait_until(lambda: held.model()["sequences"] == 1, what="the end of its text")
        opened.kill()
    assert held.n_passes() == n_passes
    held.release()
    wait_until(lambda: held.step(request) > step, what="a text that goes on")
    text.kill()


def lost_in_a_pass(held):
    """A text about to be lost in a pass that is held: what it is alone, its client, and the passes so far."""
    asked = ("generate", PROMPT, "--seed", "5", "--ignore-eos", "--max-new-tokens", "3000")
    alone = held.run(*asked).stdout
    text = held.popen(*asked, "--wait", "60")
    held.running(n_steps=2)
    held.hold_pass()
    return alone, text, held.wait_held()


def test_a_text_that_comes_back_during_the_pass_it_was_lost_in(held):
    """Its tokenizerd is killed: it ends there, and its next attempt waits for the pass's end. The text is as ever."""
    alone, text, n_passes = lost_in_a_pass(held)
    held.kill(held.tokenizerd)
    held.tokenizerd = held.start("tokenizerd", "--heartbeat-ms", HEARTBEAT_MS)
    wait_until(lambda: " opened " in held.log(held.modeld).rsplit("reason=lost", 1)[-1], what="the next attempt")
    assert held.n_passes() == n_passes
    held.release()
    assert text.communicate(timeout=PASS_S)[0] == alone and text.returncode == 0


def test_a_modeld_that_stood_still_during_its_pass(held):
    """It is thought lost, and takes the text again when it goes on."""
    alone, text, _ = lost_in_a_pass(held)
    held.modeld.send_signal(signal.SIGSTOP)
    wait_until(lambda: "silent" in held.log(held.tokenizerd), what="a modeld that is missed")
    held.modeld.send_signal(signal.SIGCONT)
    wait_until(lambda: held.log(held.modeld).count(" opened ") == 3, what="the next attempt")
    held.release()
    assert text.communicate(timeout=PASS_S)[0] == alone and text.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_modeld_that_is_told_to_end_during_a_pass_ends(held, number):
    """The pass would last longer than is waited for here."""
    begin(held)
    held.stop(held.modeld, number)          # SIGTERM again and again: it does not drain
    assert held.modeld.returncode == 0
    wait_until(lambda: " left " in held.log(held.samplerd), what="a samplerd that knows")
