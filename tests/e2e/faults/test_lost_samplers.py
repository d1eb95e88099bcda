"""Samplerds that go: a pause for the text, and its end only when its rows end every samplerd that gets them."""
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import caught_running, wait_until
import fake_samplerd

REQUEST = ("hello", "--seed", "3", "--temperature", "1.5", "--ignore-eos", "--max-new-tokens")


def start(stack, models, n_samplerds, *modeld_arguments, step_deadline_ms=500):
    stack.start("tokenizerd")
    stack.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000, vocab=20000),
                "--step-deadline-ms", step_deadline_ms, *modeld_arguments)
    samplerds = [stack.start("samplerd", "--name", f"s{i}") for i in range(n_samplerds)]
    stack.wait_ready(2 + n_samplerds)
    return samplerds


def kill(samplerds):
    for one in samplerds:
        one.send_signal(signal.SIGKILL)
    for one in samplerds:
        one.wait()


def test_a_text_goes_on_when_all_samplerds_were_killed_and_another_comes(stack, models):
    samplerds = start(stack, models, 6)
    alone = stack.text(*REQUEST, "3000")

    def begin():
        client = stack.popen("generate", *REQUEST, "3000", bufsize=0)
        return client, os.read(client.stdout.fileno(), 4096)
    client, begun = caught_running(begin)
    kill(samplerds)
    time.sleep(1)
    assert client.poll() is None, client.stderr.read()
    stack.start("samplerd", "--name", "new")
    rest, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert begun + rest == alone


@pytest.mark.parametrize("bind", [(), ("--bind-samplers", "tcp://127.0.0.1:*", "--insecure")], ids=["ipc", "tcp"])
def test_a_killed_samplerd_is_missed_at_once(stack, models, bind):
    """The next try follows its loss: a step's deadline here is longer than this test."""
    start(stack, models, 0, "--log", "debug", *bind, step_deadline_ms=24 * 3600 * 1000)
    modeld = stack.processes[1]
    where = re.search(r"samplers=(\S+)", stack.log(modeld))[1]
    samplerds = []
    for name in ("first", "second"):            # a text goes to whichever joined first
        samplerds.append(stack.start("samplerd", "--name", name, "--join", where, "--insecure"))
        stack.wait_ready(2 + len(samplerds))
    client = stack.popen("generate", *REQUEST, "90000", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def step():
        return stack.running(n_steps=-1)[0]["step"]
    wait_until(step, what="a text that has begun")
    for n_kills in range(1, 4):
        samplerds[0].send_signal(signal.SIGSTOP)        # as soon as it has a step, the text stands still
        wait_until(lambda: (step(), time.sleep(0.2))[0] == step(), what="a text that stands still")
        stands_at = step()
        kill(samplerds[:1])
        wait_until(lambda: step() > stands_at, what="a text that goes on")
        samplerds = samplerds[1:] + [stack.start("samplerd", "--name", f"later{n_kills}", "--join", where, "--insecure")]
        wait_until(lambda: len([d for d in stack.daemons() if d["role"] == "samplerd"]) == 2, what="two samplerds")
    retries = [line for line in stack.log(modeld).splitlines() if " retry " in line]
    assert retries and all('the connection broke"' in line for line in retries)
    client.kill()


def test_samplerds_that_are_thought_alive_cost_no_tries(stack, models):
    """No heartbeat has told modeld yet: each sending finds another connection broken."""
    kill(start(stack, models, 6, "--heartbeat-ms", "20000"))
    client = stack.popen("generate", *REQUEST, "20")
    time.sleep(0.5)
    assert client.poll() is None, client.stderr.read()
    stack.start("samplerd", "--name", "new")
    text, errors = client.communicate(timeout=60)
    assert client.returncode == 0 and text, errors


def test_a_text_is_not_drawn_on_by_older_rules_nor_by_newer_ones(stack, models, fakes):
    """It ends with a sentence that names the rules which began it."""
    samplerds = start(stack, models, 1)
    samplers = f"ipc://{stack.runtime}/samplers"

    def begin():
        client = stack.popen("generate", *REQUEST, "3000", "--wait", "2", bufsize=0)
        return client, os.read(client.stdout.fileno(), 4096)
    client, _ = caught_running(begin)
    kill(samplerds)
    older = fakes(fake_samplerd.FakeSamplerd, samplers, semantics="trivium/2")
    older.wait_joined()
    _, errors = client.communicate(timeout=60)
    assert client.returncode == 1 and b"with the rules trivium/3, which began this text" in errors
    assert older.n_steps == 0
    older.misbehave = fake_samplerd.dies(4)
    client = stack.popen("generate", *REQUEST, "3000", "--wait", "2")
    wait_until(older.ending.is_set, what="its end")
    older.close()
    stack.start("samplerd", "--name", "new")
    _, errors = client.communicate(timeout=60)
    assert client.returncode == 1 and b"with the rules trivium/2, which began this text" in errors


def leaves(fake, request, reply, n):
    """Says Leave when it gets a row, and joins again."""
    message = fake.outgoing()
    message.control.leave.SetInParent()
    fake.send(message)
    fake.peers.clear()
    return True


def test_rows_that_end_every_samplerd_end_their_text(stack, models, fakes):
    start(stack, models, 0, step_deadline_ms=60000)      # an answer that is late is no loss
    fake = fakes(fake_samplerd.FakeSamplerd, f"ipc://{stack.runtime}/samplers", misbehave=leaves)
    fake.wait_joined()
    sentence = stack.refused("generate", *REQUEST, "20")
    assert "8 samplerds of pool default were lost while they had step 0" in sentence and fake.n_steps == 8
