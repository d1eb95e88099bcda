"""What tokenizerd and its modelds tell each other of the default model, with one side made by hand."""
import os

import pytest

from conftest import wait_until
from fake_link import Fake, common_pb2
from fake_modeld import FakeModeld
import tokens_pb2

SHORT = ("hello", "--max-new-tokens", "2", "--seed", "1")
SOON = ("--wait", "0.5")


@pytest.fixture
def front(stack, fakes, request):
    """tokenizerd; front(name, default_model=(name, since)) → a modeld that was told so before."""
    stack.start("tokenizerd", "--heartbeat-ms", getattr(request, "param", "200"))
    wait_until((stack.runtime / "models").exists, what="tokenizerd")

    def join(name, **keywords):
        return fakes(FakeModeld, f"ipc://{stack.runtime}/models", name=name, fingerprint=f"of {name}", **keywords)
    join.stack = stack
    return join


def told(fake):
    """What tokenizerd last told it."""
    words = [m.default_model for _, m, _ in list(fake.seen) if m.WhichOneof("body") == "default_model"]
    return (words[-1].name, words[-1].since_ms) if words else None


def default_of(stack):
    return stack.lines("status")[0]["default_model"]


def test_the_oldest_word_counts_whoever_comes_first(front):
    first = front("first")
    first.wait_joined()
    wait_until(lambda: told(first), what="its own name")
    name, since_ms = told(first)
    assert name == "first" and since_ms > 1e12
    for who, brought, expected in (("c", ("c", 2000), ("c", 2000)), ("d", ("d", 3000), ("c", 2000)),
                                   ("e", ("gone", 1000), ("gone", 1000)), ("f", ("", 0), ("gone", 1000)),
                                   ("g", ("a", 1000), ("a", 1000)), ("h", ("b", 1000), ("a", 1000))):
        fake = front(who, default_model=brought)
        fake.wait_joined()
        wait_until(lambda: told(fake) == told(first) == expected, what=f"all know {expected}")
        assert default_of(front.stack) == expected[0]
    sentence = front.stack.refused_soon("generate", *SHORT, *SOON)
    assert "default model 'a' is not here" in sentence and "'first', 'c', 'd', 'e', 'f', 'g', 'h'" in sentence


@pytest.mark.parametrize("front", ["30000"], indirect=True)
def test_a_newcomer_is_not_the_first_before_others_could_come_back(front):
    """For a minute here, so that the test is over before."""
    newcomer = front("newcomer")
    newcomer.wait_joined()
    sentence = front.stack.refused_soon("generate", *SHORT, *SOON)
    assert "which model is the default is not known" in sentence and "'newcomer'" in sentence and "--model" in sentence
    assert front.stack.lines("generate", *SHORT, "--model", "newcomer")[0]["start"]["model"] == "newcomer"
    assert default_of(front.stack) is None and told(newcomer) is None
    client = front.stack.popen("generate", *SHORT, "--json", "--wait", "60")
    wait_until(lambda: front.stack.lines("ps")[0]["requests"], what="the request has come")
    front("old", default_model=("old", 1000)).wait_joined()
    wait_until(lambda: told(newcomer) == ("old", 1000), what="who was first")
    output, errors = client.communicate(timeout=60)
    assert client.returncode == 0 and b'"old"' in output.splitlines()[0], errors


@pytest.mark.parametrize("name", ["x" * 129, "a\nb", "\x7f", "x" * 5000], ids=["too long", "newline", "delete", "far too long"])
def test_a_word_that_is_no_name_is_refused(front, name):
    front("honest").wait_joined()
    wait_until(lambda: default_of(front.stack) == "honest", what="it is the first")
    fake = front("odd", default_model=(name, 1))
    wait_until(lambda: fake.n_refused, what="a refusal")
    assert not fake.ready.is_set() and default_of(front.stack) == "honest"
    assert [m["name"] for m in front.stack.lines("status")[0]["models"]] == ["honest"]


class FakeFront(Fake):
    """A stand-in for tokenizerd on its modelds' side."""
    incoming, outgoing, role = tokens_pb2.TokensReply, tokens_pb2.TokensRequest, common_pb2.TOKENIZERD
    joins = False

    def __init__(self, address, words=()):
        self.words = words                      # (name, since) that it tells whoever joins
        super().__init__(address)

    def joined(self, sender):
        for name, since_ms in self.words:
            message = self.outgoing()
            message.default_model.name, message.default_model.since_ms = name, since_ms
            self.send(message, to=sender)

    def brought(self):
        self.wait_joined()
        word = self.hellos[-1].default_model
        return word.name, word.since_ms


def test_a_modeld_brings_back_what_it_was_told_there(stack, models, fakes):
    """Of each of its tokenizerds apart; what is no name is not kept."""
    os.makedirs(stack.runtime, mode=0o700)
    addresses = [f"ipc://{stack.runtime}/{name}" for name in ("one", "other")]
    stack.start("modeld", "--model", models(type="F32", seed=1), "--name", "a", "--heartbeat-ms", "200",
                *(word for address in addresses for word in ("--join", address)))
    rounds = [([("q", 5), ("p", 7)], ("", 0)), ([("x" * 129, 1), ("a\nb", 2), ("", 3)], ("p", 7)), ([("r", 9)], ("p", 7)), ([], ("r", 9))]
    for words, expected in rounds:
        others = [(name and name + "2", since) for name, since in words]
        fronts = [fakes(FakeFront, *arguments) for arguments in zip(addresses, (words, others))]
        assert fronts[0].brought() == expected
        assert fronts[1].brought() == (expected[0] and expected[0] + "2", expected[1])
        for one in fronts:                      # heard: what came after it is answered
            query = tokens_pb2.TokensRequest()
            query.vocabulary.vocabulary = one.hellos[-1].model.vocabulary
            one.send(query, to=next(iter(one.peers)))
            wait_until(lambda: one.seen, what="an answer")
            one.close()
