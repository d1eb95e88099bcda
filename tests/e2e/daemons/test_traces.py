"""A text's place in a trace (W3C Trace Context) and its priority go along all links: each daemon's log has the trace's id."""
import itertools
import json
import os
import re
import subprocess

import pytest

from conftest import Stack, wait_until
import fake_samplerd
from fake_client import FakeClient, requests_in
from fake_link import common_pb2
import text_pb2

BRIEF = ("generate", "hello", "--greedy", "--max-new-tokens", "3", "--ignore-eos")
PARENT = "00f067aa0ba902b7"
NUMBERS = itertools.count(1)


def a_trace():
    """(a trace's id, a traceparent that has it)."""
    trace = f"4bf92f3577b34da6{next(NUMBERS):016x}"
    return trace, f"00-{trace}-{PARENT}-01"


def lines_about(stack, process, word):
    return [line for line in stack.log(process).splitlines() if f" {word} " in f"{line} "]


def assert_traced(stack, process, request, trace):
    """Each line about the request, of which there are some, has the trace's id, and no other line does."""
    lines = stack.log(process).splitlines()
    named, traced = ([line for line in lines if f" {word} " in f"{line} "] for word in (f"request={request}", f"trace={trace}"))
    assert named and named == traced


def start(stack, model):
    stack.tokenizerd = stack.start("tokenizerd", "--log", "debug")
    stack.modeld = stack.start("modeld", "--log", "debug", "--model", model)
    stack.samplerd = stack.start("samplerd", "--log", "debug")
    stack.wait_ready()
    return stack


@pytest.fixture(scope="module")
def logged(models):
    """A stack whose daemons log all; its tests tell each other's lines by the traces."""
    with Stack() as one:
        yield start(one, models(type="F32", seed=4))


def events(stack, process, trace):
    """What is logged of a trace, once each, in order."""
    return list(dict.fromkeys(line.split()[2] for line in lines_about(stack, process, f"trace={trace}")))


def is_in_all_logs(stack, trace):
    wait_until(lambda: "request_done" in events(stack, stack.tokenizerd, trace), what="the end of the text")
    assert events(stack, stack.tokenizerd, trace) == ["request_begun", "request_opened", "request_done"]
    assert events(stack, stack.modeld, trace) == ["opened", "closed"]
    assert events(stack, stack.samplerd, trace) == ["drawn"]


def test_each_line_about_a_text_has_its_trace(logged):
    trace, traceparent = a_trace()
    request = logged.lines(*BRIEF, "--traceparent", traceparent)[0]["start"]["request"]
    is_in_all_logs(logged, trace)
    for process in (logged.tokenizerd, logged.modeld, logged.samplerd):
        assert_traced(logged, process, request, trace)


def test_the_text_is_the_same(logged):
    text = logged.run(*BRIEF).stdout
    assert logged.run(*BRIEF, "--traceparent", a_trace()[1], "--priority", "-10").stdout == text


def test_one_of_a_later_version_is_followed_too(logged):
    trace, _ = a_trace()
    assert logged.run(*BRIEF, "--traceparent", f"01-{trace}-{PARENT}-03-more").returncode == 0
    is_in_all_logs(logged, trace)


def test_the_environment_has_one(logged):
    (trace, traceparent), (nearer, flag) = a_trace(), a_trace()
    environment = {**logged.environment, "TRACEPARENT": traceparent}
    for flags in ((), ("--traceparent", flag)):
        assert logged.popen(*BRIEF, *flags, env=environment, stdout=subprocess.DEVNULL).wait(60) == 0
        is_in_all_logs(logged, nearer if flags else trace)
    for malformed in ("", "nonsense", traceparent.upper()):
        environment["TRACEPARENT"] = malformed
        assert logged.popen(*BRIEF, env=environment, stdout=subprocess.DEVNULL).wait(60) == 0


def test_lines_of_a_batch_have_their_own(logged):
    (one, first), (all_others, flag) = a_trace(), a_trace()
    lines = [{"prompt": "hello", "traceparent": first, "priority": -10}, {"prompt": "hello", "priority": 10}, {"prompt": "hello"},
             {"prompt": "hello", "priority": 11}, {"prompt": "hello", "traceparent": flag[:-1]}]
    done = logged.run("generate", "--input", "-", *BRIEF[2:], "--traceparent", flag,
                      input="\n".join(map(json.dumps, lines)).encode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1 and len(answers) == len(lines)
    assert [answer.get("error", {}).get("code") for answer in answers] == [None] * 3 + ["bad_request"] * 2
    for trace in (one, all_others):
        is_in_all_logs(logged, trace)
    begun = {trace: [line for line in lines_about(logged, logged.tokenizerd, f"trace={trace}") if " request_begun " in line]
             for trace in (one, all_others)}
    assert (len(begun[one]), len(begun[all_others])) == (1, 2)


@pytest.mark.parametrize("words", [("score", "hello"), ("probe", "--logits", "1,2,3")], ids=lambda words: words[0])
def test_calls_have_one_too(logged, words):
    trace, traceparent = a_trace()
    assert logged.run(*words, "--traceparent", traceparent).returncode == 0
    wait_until(lambda: events(logged, logged.samplerd, trace) == ["drawn"], what="a line about it")


def test_steps_that_are_drawn_again_have_it(stack, models, fakes):
    stack.start("tokenizerd")
    modeld = stack.start("modeld", "--log", "debug", "--model", models(type="F32", seed=4), "--step-deadline-ms", "60000")
    stack.wait_ready(2)
    fakes(fake_samplerd.FakeSamplerd, f"ipc://{stack.runtime}/samplers",
          misbehave=fake_samplerd.changes("id", -1, every=2)).wait_joined()
    for words in (BRIEF, ("score", "hello, hello, hello")):
        trace, traceparent = a_trace()
        stack.run(*words, "--traceparent", traceparent)
        assert "retry" in events(stack, modeld, trace)


# beyond losses

def start_modeld(stack, model, places):
    joins = [flag for place in places for flag in ("--join", f"{place}-models")]
    return stack.start("modeld", "--log", "debug", "--model", model, *joins)


def start_tokenizerd(stack, place):
    return stack.start("tokenizerd", "--log", "debug", "--bind-clients", f"{place}-clients", "--bind-models", f"{place}-models")


def words_about(stack, process, request, event):
    """Of the lines of this event about the request: what stands before their other words."""
    return [re.search(r"request=\S+ (trace=\S+ attempt=\d+)", line)[1]
            for line in lines_about(stack, process, f"request={request}") if f" {event} " in line]


def test_it_is_known_after_losses(stack, models):
    """Of its modeld, which another one follows, then of its tokenizerd, from which another one takes over."""
    model = models(type="Q8_0", seed=3, context=100000)
    (stack.folder / "places").mkdir()
    places = [f"ipc://{stack.folder}/places/{name}" for name in ("one", "other")]
    one, other = (start_tokenizerd(stack, place) for place in places)
    first = start_modeld(stack, model, places)
    samplerd = stack.start("samplerd", "--log", "debug")
    at_one, at_other = (("--endpoint", f"{place}-clients") for place in places)
    for there in (at_one, at_other):
        wait_until(lambda: stack.run("status", *there).returncode == 0 and stack.lines("status", *there)[0]["models"],
                   what="the model")
    trace, traceparent = a_trace()
    client = stack.popen("generate", "hello", "--ignore-eos", "--max-new-tokens", "99000", *at_one, *at_other, "--wait", "60",
                         "--traceparent", traceparent, "--priority", "3", stdout=subprocess.DEVNULL)

    def report(there):
        return next(iter(stack.lines("ps", *there)[0]["requests"]), {"step": 0})

    wait_until(lambda: report(at_one)["step"] > 3, what="a text that runs")
    request = report(at_one)["request"]
    stack.kill(first)
    second = start_modeld(stack, model, places)
    wait_until(lambda: words_about(stack, second, request, "opened"), what="the text at another modeld")
    stack.kill(one)
    wait_until(lambda: len(words_about(stack, second, request, "opened")) == 2, what="the text from another tokenizerd")
    step = report(at_other)["step"]
    wait_until(lambda: report(at_other)["step"] > step, what="a text that goes on")
    assert stack.run("cancel", request, *at_other).returncode == 0
    client.wait(60)

    expected = [f"trace={trace} attempt={attempt}" for attempt in (1, 2)]
    assert words_about(stack, first, request, "opened") == expected[:1]
    assert words_about(stack, one, request, "request_lost") == expected[:1]
    assert words_about(stack, one, request, "request_opened") == 2 * expected[:1]
    assert words_about(stack, second, request, "opened") == expected
    assert words_about(stack, other, request, "request_begun") == expected[1:]
    wait_until(lambda: words_about(stack, other, request, "request_done") == expected[1:], what="its end")
    for process in (one, other, first, second, samplerd):
        assert_traced(stack, process, request, trace)


# what cannot be carried

@pytest.mark.parametrize("fields", [{"priority": 11}, {"priority": -11}, {"priority": 2 ** 31 - 1},
                                    {"traceparent": "00-nonsense"}, {"traceparent": f"ff-{'1' * 32}-{PARENT}-01"},
                                    {"traceparent": f"01-{'1' * 32}-{PARENT}-01-" + "x" * 1000}], ids=str)
def test_what_is_out_of_range_is_one_done_with_a_sentence(logged, fakes, fields):
    client = fakes(FakeClient, f"ipc://{logged.runtime}/clients")
    client.wait_joined()
    message = text_pb2.TextRequest()
    body = message.generate
    body.request, body.attempt, body.max_new_tokens = os.urandom(16), 1, 4
    body.segments.add(n_bytes=5)
    for name, value in fields.items():
        setattr(body, name, value)
    client.send(message, [b"hello"])
    done, _ = client.answer("done")
    assert (done.request, done.attempt, done.reason) == (body.request, 1, text_pb2.FINISH_ERROR)
    assert done.error.code == common_pb2.BAD_REQUEST and f"a {list(fields)[0]} " in done.error.message
    asked = text_pb2.TextRequest()
    asked.list.call = 7
    client.send(asked)
    name, _, raw = client.answers.get(timeout=60)           # nothing else was said before
    assert name == "listed" and requests_in(raw) == []
