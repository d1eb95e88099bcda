"""The words of a score's table are those of the model that scored it, whichever has its name when they are asked for."""
import array
import struct

import pytest

from fake_link import common_pb2
from fake_tokenizerd import FakeTokenizerd

GONE = "the model 'm' whose ids these are is gone: another one has its name now"


class Scores(FakeTokenizerd):
    """Two ids; the word of each."""
    names = ("m", "f1")                        # of the model that scored; an older one does not tell

    def serve(self, sender, message, raw):
        reply = self.outgoing()
        if message.WhichOneof("body") == "score":
            reply.scored.call = message.score.call
            reply.scored.model, reply.scored.fingerprint = self.names
            self.send(reply, [array.array("i", [1, 2]).tobytes(), struct.pack("2d", float("nan"), -1)], sender)
        elif message.WhichOneof("body") == "detokenize":
            self.says_words(reply, message.detokenize.call, sender)

    def says_words(self, reply, call, sender):
        reply.detokenized.call = call
        self.send(reply, [b"word"], sender)


class Older(Scores):
    names = ("", "")


class Replaced(Scores):
    def says_words(self, reply, call, sender):
        reply.failed.call, reply.failed.error.code, reply.failed.error.message = call, common_pb2.UNKNOWN_MODEL, GONE
        self.send(reply, to=sender)


def score(stack, fakes, kind):
    stack.runtime.mkdir(mode=0o700)
    fake = fakes(kind, f"ipc://{stack.runtime}/clients")
    done = stack.run("score", "Hi", "--model", "asked")
    return done, [m.detokenize for _, m, _ in fake.seen if m.WhichOneof("body") == "detokenize"]


@pytest.mark.parametrize("kind, meant", [(Scores, ("m", "f1")), (Older, ("asked", ""))])
def test_words_are_asked_of_the_model_that_scored(stack, fakes, kind, meant):
    done, asked = score(stack, fakes, kind)
    assert done.returncode == 0 and done.stdout.count(b"word") == 2, done.stderr
    assert [(m.model, m.fingerprint) for m in asked] == [meant] * 2


def test_words_of_a_model_that_is_gone_are_nobodys(stack, fakes):
    done, asked = score(stack, fakes, Replaced)
    assert (done.returncode, done.stdout, len(asked)) == (1, b"", 1)
    assert done.stderr.decode() == f"trivium: {GONE}\n"
