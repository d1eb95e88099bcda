"""What one owner may have: at its limit it is told so, and whose limit it is; the others' texts are taken at once, and wait for
nothing of its."""
import array
import re

import pytest

from asking_client import ENOUGH, FINISH_CANCELLED, FINISH_LENGTH, GREEDY, AskingClient
from conftest import Stack, wait_until
import text_pb2

MB = 1000 * 1000
PATIENT = ("--heartbeat-ms", "20000")


class Narrow(Stack):
    """Of one owner's limits, and as many pages as its modeld is given."""

    def __init__(self, model, limits, *modeld_arguments):
        super().__init__()
        self.tokenizerd = self.start("tokenizerd", "--log", "debug", *limits)
        self.modeld = self.start("modeld", "--model", model, "--step-deadline-ms", "60000", "--log", "debug", *PATIENT,
                                 *modeld_arguments)
        self.samplerd = self.start("samplerd")
        self.wait_ready()

    def user(self, fakes, name):
        return fakes(AskingClient, f"ipc://{self.runtime}/clients", name, name)


@pytest.fixture
def model(models):
    return models(type="Q8_0", seed=3, context=100000)


def test_texts(model, fakes):
    with Narrow(model, ["--texts-an-owner", "2"]) as one:
        ann, other, bob = one.user(fakes, "ann"), one.user(fakes, "ann"), one.user(fakes, "bob")
        with one.held():
            first = ann.begun(n_tokens=ENOUGH)
            other.begun()               # whichever of her clients it is
            ann.generate()
            assert ann.busy("done") == \
                "name:ann has 2 texts here, and one owner may have 2 (tokenizerd --texts-an-owner); try again when one is over"
            bob.begun()
            assert len(ann.is_heard()) == 2
            ann.ask("cancel", request=first)
            assert ann.done().reason == FINISH_CANCELLED
            ann.begun()
        assert [client.done().reason for client in (ann, other, bob)] == [FINISH_LENGTH] * 3


def test_calls_and_watches(model, fakes):
    with Narrow(model, ["--calls-an-owner", "1", "--watches-an-owner", "1"]) as one:
        ann, bob = one.user(fakes, "ann"), one.user(fakes, "bob")
        with one.held():
            call = ann.score()
            ann.score()
            assert "name:ann has 1 calls here" in ann.busy()
            bob.score()
            text = ann.begun(n_tokens=ENOUGH)
            ann.ask("watch", request=text, n_candidates=1)
            assert ann.answer("watched")
            ann.ask("watch", request=text, n_candidates=1)
            assert "name:ann has 1 watched texts here" in ann.busy()
            ann.cancel_call(call)
            ann.ask("cancel", request=text)
        assert bob.answer("scored")


def test_bytes(model, fakes):
    """Of texts that wait, of calls and of requests together."""
    with Narrow(model, ["--bytes-an-owner", "1000000"]) as one:
        ann, bob = one.user(fakes, "ann"), one.user(fakes, "bob")

        def tokenize(client):
            return client.ask("tokenize", [b"x" * 600000], model="on its way", wait_ms=60000)
        call = tokenize(ann)
        ann.is_heard()
        tokenize(ann)
        assert re.fullmatch(r"name:ann has 600\d\d\d bytes here, and one owner may have 1000000 "
                            r"\(tokenizerd --bytes-an-owner\); try again later", ann.busy())
        bob.cancel_call(tokenize(bob))
        ann.generate(n_ids=120000)
        assert "name:ann has" in ann.busy("done")
        ann.cancel_call(call)


def conversation(client, content):
    """A Render for a model that is not here, of one message of so many bytes."""
    return client.ask("render", [content], model="on its way", wait_ms=60000,
                      messages=[text_pb2.Message(role="user", n_bytes=len(content))])


def test_conversations_that_wait(model, fakes):
    """However many, one owner's leave room for others'."""
    with Narrow(model, []) as one:
        ann, bob = one.user(fakes, "ann"), one.user(fakes, "bob")
        calls = [conversation(ann, b"x" * (6 * MB)) for _ in range(3)]
        ann.is_heard()
        conversation(ann, b"x" * (6 * MB))
        assert "name:ann has its share of the" in ann.busy()
        calls.append(conversation(bob, b"x" * MB))
        bob.is_heard()
        bob.cancel_call(calls.pop())
        for call in calls:
            ann.cancel_call(call)


def test_answers_that_nobody_reads(model, fakes):
    """Whoever does not read is told to wait, and is not cut for what it asked for."""
    row = array.array("f", bytes(4 * 400000)).tobytes()
    with Narrow(model, []) as one:
        class Deaf(AskingClient):
            receive_mark = 1

        ann, bob = fakes(Deaf, f"ipc://{one.runtime}/clients", "ann", "ann"), one.user(fakes, "bob")

        def is_told_to_wait():
            ann.reads = False
            for _ in range(20):
                ann.ask("probe", [row, b""], strategy=GREEDY, wait_ms=60000)
                bob.score()         # most of her probes are answered by then, some are under way together
                assert bob.answer("scored")
            ann.reads = True
            ann.is_heard()          # after all that was said to her before
            failed = [message.failed for _, message, _ in ann.seen if message.WhichOneof("body") == "failed"]
            return any("has not read" in one.error.message for one in failed)
        wait_until(is_told_to_wait, what="a probe for which there is no room beside what she has not read")
        assert any(message.WhichOneof("body") == "probed" for _, message, _ in ann.seen)
        assert 'client_left name="ann"' not in one.log(one.tokenizerd)


def closed(stack):
    """The ids of the texts that its modeld has written, in order."""
    return re.findall(r" closed request=(\w+) .*reason=length", stack.log(stack.modeld))


def test_pages_go_round_by_owner(models, fakes):
    """Where they hold one text at a time, the second owner's is next, though the first one's came before."""
    with Narrow(models(type="Q4_1", seed=1), [], "--kv-memory", "16K") as one:
        ann, bob = one.user(fakes, "ann"), one.user(fakes, "bob")

        def is_opened(n_texts):
            wait_until(lambda: one.log(one.modeld).count(" opened ") == n_texts, what=f"{n_texts} texts at modeld")
        with one.held():
            texts = [ann.begun().hex() for _ in range(3)]
            is_opened(3)
            texts.insert(1, bob.begun().hex())
            is_opened(4)        # else hers may have ended before his has come that far
        wait_until(lambda: len(closed(one)) == 4, what="all texts")
        assert closed(one) == texts
