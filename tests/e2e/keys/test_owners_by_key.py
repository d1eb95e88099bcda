"""Over tcp a text belongs to the key of whoever asked for it: nobody else finds it, whatever is asked, and what one key may have
is no limit of another's."""
import random
import re
import subprocess

import pytest

from asking_client import FINISH_LENGTH
from conftest import wait_until
from guarded import GuardedStack, guarded         # noqa: F401 (a fixture)
from lost_daemons import lost_while_all_write

PATIENT = ("--step-deadline-ms", "60000", "--heartbeat-ms", "20000")      # a text stands still while its samplerd does


def listed(stack, *flags):
    return stack.lines("ps", *flags)[0]["requests"]


def test_a_text_belongs_to_its_key(guarded):  # noqa: F811
    ann, bob, gate = guarded.client("ann"), guarded.client("bob"), guarded.client("gate", rights="gateway")
    guarded.client_flags = ("--wait", "60")     # what is asked here is asked once, however busy the machine is
    writer = guarded.popen("generate", "hello", "--ignore-eos", "--max-new-tokens", 90000, *ann, stdout=subprocess.DEVNULL)
    mine, = wait_until(lambda: listed(guarded, *ann), what="her text")
    request = mine["request"]
    assert "owner" not in mine
    assert not listed(guarded, *bob) and not listed(guarded, *gate)
    for command in ("cancel",), ("tune", "--greedy"), ("watch",):
        assert "no running request begins with" in guarded.refused(command[0], request, *command[1:], *bob)
    for flags in ann, bob:
        assert "only a gateway" in guarded.refused("ps", "--owner", "carl", *flags)
    assert not listed(guarded, "--owner", "ann", *gate)         # that is another ann
    anothers, = listed(guarded)     # with an operator's key
    assert (anothers["request"], anothers["owner"][:4], anothers["owner_name"]) == (request, "key:", "ann")
    shown = guarded.run("ps").stdout
    assert b" ann " in shown and b"key:" not in shown
    assert guarded.run("cancel", request).returncode == 0
    writer.wait(timeout=60)


# ---- as peers say it ----

@pytest.fixture(scope="module")
def house(models):
    """Ann and Bob, who have keys."""
    with GuardedStack(models(type="Q8_0", seed=3, context=100000), modeld=PATIENT) as one:
        one.start_model()
        one.let_in("ann", "bob")
        yield one


@pytest.fixture
def ann(house, fakes):
    return house.asking(fakes, "ann")


@pytest.fixture
def bob(house, fakes):
    return house.asking(fakes, "bob")


def test_another_key_is_answered_as_if_there_were_no_text(house, ann, bob):
    ann.hides_a_text_from(bob, house)


def test_a_resume_with_another_key_begins_a_text_of_its_own(house, ann, bob):
    hers, his = {"n_tokens": 300}, {"n_tokens": 200, "n_ids": 33}
    alone = [ann.text(ann.generate(**hers))[0], bob.text(bob.generate(**his))[0]]
    with house.held():
        request = ann.begun(**hers)
        bob.begun(request, attempt=7, **his)
        assert [one.attempt for one in ann.is_heard()] == [1]
        assert [one.attempt for one in bob.is_heard()] == [7]
    for client, attempt, text in (ann, 1, alone[0]), (bob, 7, alone[1]):
        written, done = client.text(request, attempt)
        assert (written, done.reason) == (text, FINISH_LENGTH)


def test_a_session_is_its_keys(ann, bob):
    """Another one of that name finds nothing of hers, and takes nothing away."""
    def n_cached(client):
        client.generate(session="talk", n_ids=300)
        return client.done().timings.n_cached
    assert [n_cached(ann), n_cached(ann)] == [0, 299]       # all but the last, whose logits are wanted
    assert [n_cached(bob), n_cached(bob)] == [0, 299]
    assert n_cached(ann) == 299


# ---- the same ids, and daemons that are lost ----

HOW = {"ann": {"n_tokens": 3000, "n_ids": 20, "wait_ms": 60000}, "bob": {"n_tokens": 3000, "n_ids": 33, "wait_ms": 60000}}
MOST_STEPS = 1000                   # when a daemon is lost


@pytest.fixture(scope="module")
def alone(house):
    """Their texts, undisturbed."""
    texts = {}
    for name, how in HOW.items():
        client = house.asking(lambda kind, *arguments: kind(*arguments), name)
        texts[name] = client.text(client.generate(**how))[0]
        client.close()
    assert texts["ann"] != texts["bob"]
    return texts


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("role", ["modeld", "samplerd"])
def test_two_keys_write_texts_of_one_id_and_lose_a_daemon(house, ann, bob, alone, role, seed):
    users = {"ann": ann, "bob": bob}

    def begin(request):
        for name, user in users.items():
            user.begun(request, **HOW[name])
    n_steps = random.Random(f"{role}-{seed}").randrange(MOST_STEPS)
    request = lost_while_all_write(house, users.values(), role, n_steps, begin)
    for name, user in users.items():
        text, done = user.text(request)
        assert (text, done.reason, done.n_tokens) == (alone[name], FINISH_LENGTH, HOW[name]["n_tokens"]), name


# ---- limits ----

def test_a_limit_is_that_of_one_key(models, fakes):
    """Over however many connections that one comes; the other one's are taken, and written."""
    limits = ("--texts-an-owner", "2", "--calls-an-owner", "2", "--bytes-an-owner", "1000000")
    with GuardedStack(models(type="Q8_0", seed=3, context=100000), tokenizerd=limits, modeld=PATIENT) as one:
        one.start_model()
        one.let_in("ann", "bob")
        ann, other, bob = (one.asking(fakes, name) for name in ("ann", "ann", "bob"))

        def tokenize(client):
            return client.ask("tokenize", [b"x" * 600000], model="on its way", wait_ms=60000)
        with one.held():
            for client in ann, other:
                client.begun(n_tokens=40)
            ann.generate()
            assert ann.busy("done") == \
                "ann has 2 texts here, and one owner may have 2 (tokenizerd --texts-an-owner); try again when one is over"
            bob.begun(n_tokens=40)
            calls = [tokenize(ann), tokenize(bob)]
            ann.is_heard()
            tokenize(other)
            assert re.match(r"ann has 6\d{5} bytes here, and one owner may have 1000000 \(", other.busy())
            ann.score()
            ann.is_heard()
            other.score()
            assert other.busy() == \
                "ann has 2 calls here, and one owner may have 2 (tokenizerd --calls-an-owner); try again when one is over"
            bob.cancel_call(calls[1])
            bob.score()
        for client in ann, other, bob:
            done = client.done()
            assert (done.reason, done.n_tokens) == (FINISH_LENGTH, 40)
        ann.cancel_call(calls[0])
        ann.generate()
        assert ann.done().reason == FINISH_LENGTH       # nothing is left of what was counted
