"""The first sampler that was ever written for Trivium, by the wire of version 1: tests/golden/first_sampler.py is that file,
and only the number of the version is another one. So whoever has written one like it has that line to change, no more.

tests/golden/first-sampler.jsonl has what it drew beside daemons of version 1."""
import hashlib
import os
import sys

import pytest

from conftest import BUILD, GOLDEN, TIMEOUT_S, wait_until
from fake_link import VERSION
from kills.writing import Writing

SAMPLER = GOLDEN / "first_sampler.py"
SHA256 = "bfbc716ee06e6e15056a383cdaa1c61f253b2708eb5d7306e8720675612c510a"     # of the file as it was


def test_only_the_version_is_another_one():
    now, was = (b"version=%d, role=" % version for version in (VERSION, 1))
    text = SAMPLER.read_bytes()
    assert text.count(now) == 1 and hashlib.sha256(text.replace(now, was)).hexdigest() == SHA256


@pytest.fixture
def first(tiny):
    """A pool that has it and nobody else: join() starts one more."""
    joined = []

    def join():
        environment = dict(tiny.environment, PYTHONPATH=os.fspath(BUILD / "gen" / "python"))
        joined.append(tiny.start(SAMPLER.name, SAMPLER, f"ipc://{tiny.runtime}/samplers", "first", program=sys.executable,
                                 env=environment))
        wait_until(lambda: any(one["pid"] == joined[-1].pid for one in tiny.daemons()), what="it has joined")
        return joined[-1]
    yield join
    for process in joined:
        if process in tiny.processes:       # it was not killed
            tiny.stop(process)


def request(expected):
    return ("generate", expected["prompt"], "--sampler", "first", "--seed", expected["seed"], "--max-new-tokens",
            len(expected["ids"]), "--ignore-eos", "--json", "--wait", "60")


def test_it_draws_what_it_drew(tiny, first, golden):
    first()
    for expected in golden("first-sampler.jsonl"):
        tokens = [line for line in tiny.lines(*request(expected)) if "id" in line]
        assert [token["id"] for token in tokens] == expected["ids"]
        assert [token["logprob"] for token in tokens] == pytest.approx(expected["logprobs"], abs=1e-8)


def test_it_draws_the_same_when_it_is_killed_and_started_again(tiny, first, golden):
    expected = golden("first-sampler.jsonl")[0]
    process = first()
    writing = Writing(tiny.popen(*map(str, request(expected))))
    for step in (20, 60):
        assert writing.wait(lambda: writing.has_shown(step), TIMEOUT_S)
        tiny.kill(process)
        process = first()
    writing.join()
    assert writing.ids == expected["ids"]
