"""`watch`, `tune` and `cancel` without a request: the only text that runs, else a sentence."""
import json

import pytest

from conftest import Stack, wait_until

PROMPT = "Once upon a time"
COMMANDS = (("watch",), ("tune", "--temperature", "0.5"), ("cancel",))


@pytest.fixture(scope="module")
def long(models):
    """A stack whose texts may be long."""
    with Stack() as one:
        one.start_all(models(type="Q8_0", seed=3, context=100000))
        yield one


def start(stack):
    process = stack.popen("generate", PROMPT, "--ignore-eos", "--max-new-tokens", "90000", "--json")
    return process, json.loads(process.stdout.readline())["start"]["request"]


@pytest.fixture
def texts(long):
    """start() as often as is wanted; none runs afterwards."""
    started = []

    def one():
        started.append(start(long))
        return started[-1][1]
    yield one
    for process, _ in started:
        process.kill()
        process.communicate()
    wait_until(lambda: long.lines("ps")[0]["requests"] == [], what="nothing runs")


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_nothing_runs(long, command):
    assert long.refused(*command) == "trivium: no text runs\n"


def test_the_only_one(long, texts):
    request = texts()
    tuned, = long.lines("tune", "--temperature", "0.5")
    assert tuned["request"] == request and {"temperature": 0.5} in tuned["strategy"]
    watcher = long.popen("watch", "--json")
    assert json.loads(watcher.stdout.readline())["watch"]["request"] == request
    cancelled, = long.lines("cancel")
    assert cancelled["request"] == request
    watcher.communicate()


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_several_run(long, texts, command):
    both = {texts()[:8], texts()[:8]}
    sentence = long.refused(*command)
    first, second = sentence.removeprefix("trivium: 2 texts run: name one, as ").split()[::2]
    assert {first, second} == both and sentence == f"trivium: 2 texts run: name one, as {first} or {second}\n"
    assert len(long.lines("ps")[0]["requests"]) == 2


def test_many_run(long, texts):
    requests = {texts()[:8] for _ in range(6)}
    sentence = long.refused("cancel")
    named = sentence.removeprefix("trivium: 6 texts run: name one, as ").removesuffix(", …: `trivium ps` lists them\n")
    assert len(named.split(", ")) == 4 and set(named.split(", ")) < requests


def test_tune_without_a_change(long):
    assert "tune needs what to change" in long.refused("tune", code=2)
