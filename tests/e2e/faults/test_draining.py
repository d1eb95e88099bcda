"""Peers that drain in mid-text: what they have is whole, what is new goes to others, and the bytes are the same."""
import json
import signal

import pytest

from conftest import Stack, wait_until
import fake_modeld
import fake_samplerd
import fake_tokenizerd
from misbehaviour import drains

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TEXT = ("generate", "hello", "--max-new-tokens", "26", "--seed", "1")
GREEDY = ("generate", "hello", "--greedy", "--max-new-tokens", "12", "--ignore-eos")


def asked(fake, body):
    return [message for _, message, _ in fake.seen if message.WhichOneof("body") == body]


def states(stack, role):
    return sorted(daemon["state"] for daemon in stack.daemons() if daemon["role"] == role)


# modeld

@pytest.fixture
def modelled(stack, fakes):
    stack.start("tokenizerd", "--heartbeat-ms", "200")
    wait_until(lambda: stack.daemons(), what="tokenizerd")

    def join(**keywords):
        fake = fakes(fake_modeld.FakeModeld, f"ipc://{stack.runtime}/models", **keywords)
        fake.wait_joined()
        return fake
    return join


def test_a_text_stays_at_its_modeld_and_the_next_goes_to_the_other(stack, modelled):
    first = modelled(next_token=drains(5))
    wait_until(lambda: states(stack, "modeld") == ["ready"], what="a model with its vocabulary")
    second = modelled()
    wait_until(lambda: states(stack, "modeld") == ["ready", "ready"], what="two modelds")
    assert stack.run(*TEXT).stdout.decode() == LETTERS + "\n"
    assert len(asked(first, "open")) == 1 and not asked(second, "open")
    assert states(stack, "modeld") == ["draining", "ready"]
    for n_texts in 1, 2:
        assert stack.run(*TEXT).stdout.decode() == LETTERS + "\n"
        assert len(asked(first, "open")) == 1 and len(asked(second, "open")) == n_texts


def test_what_is_new_waits_for_a_modeld_that_takes_it(stack, modelled):
    """As in an upgrade: the old one drains, and the new one is not there yet; it may have other weights, too."""
    old = modelled()
    wait_until(lambda: states(stack, "modeld") == ["ready"], what="a model with its vocabulary")
    old.drain()
    wait_until(lambda: states(stack, "modeld") == ["draining"], what="a modeld that drains")
    assert stack.run("tokenize", "hello").returncode == 0
    assert "what serves 'fake' is draining and takes nothing new" in stack.refused_soon(*TEXT, "--wait", "1")
    client = stack.popen(*TEXT, "--wait", "60")
    wait_until(lambda: b"what serves it is draining" in client.stderr.readline(), what="a client that is told to wait")
    new = modelled(fingerprint="f2")
    text, errors = client.communicate(timeout=60)
    assert (client.returncode, text.decode()) == (0, LETTERS + "\n"), errors
    assert not asked(old, "open") and len(asked(new, "open")) == 1


# samplerd

@pytest.fixture(scope="module")
def greedy_text(models):
    with Stack() as other:
        other.start_all(models(type="F32", seed=4))
        return other.text(*GREEDY[1:])


@pytest.fixture
def sampled(stack, models, fakes):
    stack.start("tokenizerd", "--heartbeat-ms", "200")
    stack.start("modeld", "--model", models(type="F32", seed=4), "--step-deadline-ms", 60000, "--heartbeat-ms", "200")

    def join(**keywords):
        fake = fakes(fake_samplerd.FakeSamplerd, f"ipc://{stack.runtime}/samplers", **keywords)
        fake.wait_joined()
        return fake
    return join


def test_a_text_moves_to_the_other_samplerd_at_once(stack, sampled, greedy_text):
    first, second = sampled(name="first", misbehave=fake_samplerd.drains(5)), sampled(name="second")
    assert stack.text(*GREEDY[1:]) == greedy_text
    assert (first.n_steps, second.n_steps) == (5, 7)
    wait_until(lambda: states(stack, "samplerd") == ["draining", "ready"], what="a samplerd that drains")
    assert stack.text(*GREEDY[1:]) == greedy_text
    assert (first.n_steps, second.n_steps) == (5, 19)


def test_a_samplerd_that_alone_may_go_on_does(stack, sampled, greedy_text):
    """Of another pool, or of other rules, nobody takes a text over."""
    first = sampled(name="first", misbehave=fake_samplerd.drains(5))
    text = stack.popen(*GREEDY)
    wait_until(lambda: first.n_steps >= 1, what="a text that has begun by its rules")
    other = sampled(name="other", semantics="other/9")
    elsewhere = sampled(name="elsewhere", pool="elsewhere")
    assert text.communicate(timeout=60)[0] == greedy_text
    assert (first.n_steps, other.n_steps, elsewhere.n_steps) == (12, 0, 0)
    assert stack.text(*GREEDY[1:]) == greedy_text          # what is new may go by other rules
    assert (first.n_steps, other.n_steps, elsewhere.n_steps) == (12, 12, 0)


def test_one_that_never_leaves_is_waited_for_so_long(stack, sampled):
    """It says that it lives, and nothing else."""
    fake = sampled(name="stubborn")
    wait_until(lambda: states(stack, "samplerd") == ["ready"], what="a samplerd")
    for n in 1, 2:
        assert stack.refused("drain", "stubborn", "--timeout", "1") == \
            "trivium: stubborn has not gone within 1 s: it drains on, unless it hangs; --timeout waits longer\n"
        assert len(asked(fake, "drain")) == n
    assert states(stack, "samplerd") == ["draining"]
    for wrong in "0", "-1", "1e9":
        stack.refused("drain", "stubborn", f"--timeout={wrong}", code=2)


def test_one_that_hangs_is_lost_and_has_not_drained(stack, sampled):
    samplerd = stack.start("samplerd", "--heartbeat-ms", 2000)
    wait_until(lambda: states(stack, "samplerd") == ["ready"], what="a samplerd")
    samplerd.send_signal(signal.SIGSTOP)
    assert "samplerd was lost before it had drained; what it had goes to another one" in stack.refused("drain", "samplerd")


# tokenizerd

def test_the_next_text_begins_at_the_other_tokenizerd(stack, fakes):
    addresses = [f"ipc://{stack.folder}/{name}" for name in ("first", "second")]
    first = fakes(fake_tokenizerd.FakeTokenizerd, addresses[0], chunk=drains(5))
    second = fakes(fake_tokenizerd.FakeTokenizerd, addresses[1])
    where = [flag for one in addresses for flag in ("--endpoint", one)]
    lines = "".join(json.dumps({"prompt": f"hello {n}"}) + "\n" for n in range(3))
    done = stack.run("generate", "--input", "-", "--parallel", "1", *where, input=lines.encode())
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["text"] for line in done.stdout.splitlines()] == [LETTERS] * 3
    assert (len(first.generates), len(second.generates)) == (1, 2)


def test_what_is_new_waits_for_the_next_tokenizerd_where_only_one_is_known(stack, fakes):
    address = f"ipc://{stack.folder}/only"
    only = fakes(fake_tokenizerd.FakeTokenizerd, address, chunk=drains(5))
    lines = "".join(json.dumps({"prompt": f"hello {n}"}) + "\n" for n in range(2))
    done = stack.run("generate", "--input", "-", "--parallel", "1", "--endpoint", address, "--wait", "1", input=lines.encode())
    assert done.returncode == 1 and b"is draining and takes nothing new" in done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[0])["text"] == LETTERS
    assert len(only.generates) == 1
