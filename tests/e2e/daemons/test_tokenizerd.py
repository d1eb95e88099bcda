"""tokenizerd between a client and a modeld that are both made by hand: what only the messages show."""
import array
import os
import threading

import pytest

from conftest import wait_until
import fake_modeld
from fake_link import common_pb2
from front import front        # noqa: F401: a fixture
from misbehaviour import hangs
import text_pb2
import tokens_pb2

LETTERS = b"abcdefghijklmnopqrstuvwxyz"
FIRST_BYTE = len(fake_modeld.CONTROL)


def generate(client, request=None, attempt=1, text=b"hello", ids=None, **fields):
    message = text_pb2.TextRequest()
    body = message.generate
    body.request, body.attempt, body.max_new_tokens, body.seed = request or os.urandom(16), attempt, 26, 1
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(body, name).extend(value)
        else:
            setattr(body, name, value)
    if ids is None:
        body.segments.add(n_bytes=len(text))
    client.send(message, [text if ids is None else array.array("i", ids).tobytes()])
    return body.request


def ask(client, kind, raw=(), **fields):
    message = text_pb2.TextRequest()
    body = getattr(message, kind)
    if kind != "acknowledge":
        body.call = 7
    for name, value in fields.items():
        setattr(body, name, value)
    client.send(message, raw)


def pause(client, request, attempt, step):
    message = text_pb2.TextRequest()
    message.pause.request, message.pause.attempt, message.pause.step = request, attempt, step
    client.send(message)


def tune(client, request, temperature):
    message = text_pb2.TextRequest()
    message.tune.call, message.tune.request = 7, request
    step = message.tune.strategy.steps.add()
    step.name = "temperature"
    step.numbers.append(temperature)
    client.send(message)


def collect(client):
    """(text, ids, changes, done) of the text that comes next."""
    text, ids, changes = b"", [], []
    while True:
        name, message, _ = client.answers.get(timeout=60)
        if name == "chunk":
            text += message.chunk.text
            ids += [drawn.id for drawn in message.chunk.drawn]
            changes += [message.chunk.change] if message.chunk.HasField("change") else []
        elif name == "done":
            return text, ids, changes, message.done


def test_the_start_brings_what_a_resume_needs(front):
    front.modeld()
    client = front.client()
    request = generate(client)
    started, raw = client.answer("started")
    assert (started.request, started.attempt, started.seed) == (request, 1, 1)
    assert (started.model, started.fingerprint, started.n_prompt) == ("fake", "f1", 5)
    assert array.array("i", raw[0]).tolist() == [FIRST_BYTE + byte for byte in b"hello"]
    chunk, _ = client.answer("chunk")
    assert chunk.drawn[0].state == b"after 0" and chunk.semantics == "fake/1"


def test_a_resumed_text_goes_on_with_its_first_new_byte(front):
    front.modeld()
    client = front.client()
    prompt = [FIRST_BYTE + byte for byte in b"hello"]
    drawn = [FIRST_BYTE + byte for byte in LETTERS[:10]]
    generate(client, attempt=2, ids=prompt + drawn, n_prompt=5, fingerprint="f1", model="fake")
    text, ids, _, done = collect(client)
    assert text == LETTERS[10:] and len(ids) == 16 and done.n_tokens == 26
    generate(client, attempt=2, ids=prompt + drawn, n_prompt=5, stops=[b"fgh"])
    text, ids, _, done = collect(client)
    assert (text, ids, done.reason, done.n_tokens) == (b"", [], text_pb2.FINISH_STOP, 8)


def test_a_resumed_text_waits_for_its_own_model(front):
    front.modeld()
    client = front.client()
    generate(client, attempt=2, ids=[5, 6], n_prompt=1, fingerprint="another", wait_ms=200)
    done = collect(client)[3]
    assert done.reason == text_pb2.FINISH_ERROR
    assert done.error.message == "the model that began this text is not here"


def test_a_stop_string_closes_the_sequence_at_its_modeld(front):
    modeld = front.modeld(next_token=fake_modeld.holds(6))
    client = front.client()
    request = generate(client, stops=[b"def"])
    text, ids, _, done = collect(client)
    assert (text, len(ids), done.reason, done.n_tokens) == (b"abc", 6, text_pb2.FINISH_STOP, 6)
    wait_until(lambda: [m for _, m, _ in modeld.seen if m.close.request == request], what="Close")


def test_text_that_was_held_back_comes_at_the_end(front):
    front.modeld()
    client = front.client()
    generate(client, stops=[b"xyz!"])
    text, ids, _, done = collect(client)
    assert text == LETTERS and len(ids) == 26 and done.reason == text_pb2.FINISH_LENGTH


def test_tuned_comes_only_after_the_owner_has_the_change(front):
    """The modeld never says Retuned; when it is lost, the change holds at the next step."""
    modeld = front.modeld(next_token=hangs(3))
    owner, asker = front.client(), front.client()
    request = generate(owner)
    wait_until(lambda: modeld.silent, what="three tokens")
    tune(asker, request[:4], 0.5)
    front.modeld()
    text, ids, changes, done = collect(owner)
    assert text == LETTERS
    (change,) = changes
    assert (change.ordinal, change.step) == (1, 3)
    assert [step.name for step in change.strategy.steps] == ["temperature"]
    failed, _ = asker.answer("failed")          # the text ended and nobody acknowledged
    assert failed.call == 7 and failed.error.message


def test_an_acknowledged_change_is_confirmed(front):
    front.modeld(next_token=hangs(3))
    owner, asker = front.client(), front.client()
    request = generate(owner)
    owner.answer("chunk")
    tune(asker, request, 0.5)
    while True:
        chunk, _ = owner.answer("chunk")
        if chunk.HasField("change"):
            break
    assert asker.answers.empty()
    ask(owner, "acknowledge", request=request, attempt=1, change=chunk.change.ordinal)
    tuned, _ = asker.answer("tuned")
    assert tuned.request == request and tuned.change == chunk.change


def test_cancelled_is_for_good(front):
    front.modeld(next_token=fake_modeld.holds(3))
    owner, other = front.client(), front.client()
    request = generate(owner)
    owner.answer("chunk")
    ask(other, "cancel", request=request[:2])
    cancelled, _ = other.answer("cancelled")
    done = owner.answer("done")[0]
    assert done.reason == text_pb2.FINISH_CANCELLED and done.n_tokens == cancelled.n_tokens > 0
    generate(owner, request, attempt=2)
    assert owner.answer("done")[0].reason == text_pb2.FINISH_CANCELLED
    ask(other, "cancel", request=request)
    assert "no running request" in other.answer("failed")[0].error.message


def test_a_lost_client_frees_its_sequence(front):
    modeld = front.modeld(next_token=fake_modeld.holds(3))
    owner, other = front.client(), front.client()
    request = generate(owner)
    owner.answer("chunk")
    owner.close()
    wait_until(lambda: [m for _, m, _ in modeld.seen if m.close.request == request], what="Close")
    ask(other, "list")
    assert not other.listed()


def test_calls_wait_for_a_model_that_joins(front):
    client = front.client()
    ask(client, "tokenize", [b"hi"])
    front.modeld()
    _, raw = client.answer("tokenized")
    assert array.array("i", raw[0]).tolist() == [FIRST_BYTE + byte for byte in b"hi"]


def test_calls_that_cannot_be_done_are_answered_once(front):
    client = front.client()
    ask(client, "tokenize", [b"hi"], wait_ms=100)
    assert "modeld" in client.answer("failed")[0].error.message
    front.modeld()
    for kind, raw, fields in [("detokenize", [array.array("i", [5, 300]).tobytes()], {}), ("detokenize", [b"abc"], {}),
                              ("detokenize", [], {}), ("score", [b""], {}), ("score", [], {}), ("tokenize", [b"\xff"], {}),
                              ("tokenize", [], {}), ("score", [b"x" * 600], {}), ("probe", [b"", b""], {}),
                              ("tune", [], {"request": b"x"}), ("tokenize", [b"x"], {"model": "no", "wait_ms": 50})]:
        ask(client, kind, raw, **fields)
        failed, _ = client.answer("failed")
        assert failed.call == 7 and failed.error.message
    assert client.answers.empty()


@pytest.mark.parametrize("said, shown", [("", "did not say why"), ("no\npages\n", "no pages"), ("é" * 300, "é" * 255)],
                         ids=["empty", "control characters", "too long"])
def test_a_code_arrives_whatever_its_sentence_is(front, said, shown):
    front.modeld(next_token=fake_modeld.fails(common_pb2.NO_SAMPLERD, said))
    client = front.client()
    generate(client)
    error = collect(client)[3].error
    assert error.code == common_pb2.NO_SAMPLERD and error.message.endswith(shown)


def busy_until(event):
    """No room, until the event is set."""
    def do(fake, sender, sequence, step):
        if not event.is_set():
            fake.close_sequence(sender, sequence, tokens_pb2.CLOSE_ERROR, common_pb2.BUSY, "no room")
        return not event.is_set()
    return do


def test_a_text_that_has_begun_waits_for_room(front):
    """Its modeld dies, the other one is full for a while."""
    room = threading.Event()
    first = front.modeld(next_token=hangs(7))
    client = front.client()
    generate(client, wait_ms=10000)
    wait_until(lambda: first.silent, what="seven tokens")
    second = front.modeld(next_token=busy_until(room))
    wait_until(lambda: sum(m.WhichOneof("body") == "open" for _, m, _ in second.seen) >= 2, what="two tries")
    room.set()
    text, ids, _, done = collect(client)
    assert (text, len(ids), done.reason) == (LETTERS, 26, text_pb2.FINISH_LENGTH)


def test_the_wait_for_room_ends(front):
    first = front.modeld(next_token=hangs(7))
    client = front.client()
    generate(client, wait_ms=1500)
    wait_until(lambda: first.silent, what="seven tokens")
    front.modeld(next_token=busy_until(threading.Event()))
    text, _, _, done = collect(client)
    assert (text, done.error.code) == (LETTERS[:7], common_pb2.BUSY) and "no room" in done.error.message


def test_a_text_that_has_not_begun_hears_that_there_is_no_room(front):
    modeld = front.modeld(next_token=busy_until(threading.Event()))
    client = front.client()
    generate(client)
    assert collect(client)[3].error.code == common_pb2.BUSY
    assert sum(m.WhichOneof("body") == "open" for _, m, _ in modeld.seen) == 1


@pytest.mark.parametrize("kind", ["generate", "score"])
def test_what_ends_each_modeld_is_not_tried_for_ever(front, kind):
    """Only its re-openings count, not the time: each modeld dies at once."""
    client = front.client()
    generate(client) if kind == "generate" else ask(client, "score", [b"hello"])
    for _ in range(6):
        modeld = front.modeld(deadly=("open", "score"))
        wait_until(modeld.ending.is_set, what="a modeld is gone")
    error = collect(client)[3].error if kind == "generate" else client.answer("failed")[0].error
    assert error.code == common_pb2.NO_MODELD and "6 modelds in a row" in error.message


def test_an_attempt_that_is_refused_leaves_the_lower_one_alone(front):
    go_on = threading.Event()
    front.modeld(next_token=fake_modeld.holds(3, go_on))
    owner, other = front.client(), front.client()
    request = generate(owner)
    owner.answer("chunk")
    for fields, reason in [({"stops": [b""]}, text_pb2.FINISH_ERROR), ({}, text_pb2.FINISH_SUPERSEDED)]:
        generate(other, request, attempt=2, **fields)
        assert other.answer("done")[0].reason == reason
    generate(other, request, attempt=3, text=b"\xff")
    assert other.answer("done")[0].error.code == common_pb2.NOT_UTF8
    go_on.set()
    assert collect(owner)[3].reason == text_pb2.FINISH_LENGTH


def resting(front, go_on):
    """A text that rests after two steps: its owner, another client, its request."""
    front.modeld(next_token=fake_modeld.holds(3, go_on))
    owner, other = front.client(), front.client()
    request = generate(owner)
    for _ in range(3):
        owner.answer("chunk")
    for client, attempt in (other, 1), (owner, 2):      # not its owner, not this attempt: nothing happens
        pause(client, request, attempt, 2)
        ask(client, "list")
        assert [r.state for r in client.listed()] == ["running"]
    pause(owner, request, 1, 2)
    ask(owner, "list")
    report, = owner.listed()
    assert (report.request, report.state, report.step) == (request, "resting", 2)
    return owner, other, request


def test_an_owner_lets_its_text_rest_and_goes_on_with_it(front):
    go_on = threading.Event()
    owner, other, request = resting(front, go_on)
    tune(other, request, 0.5)
    change = owner.answer("chunk")[0].change
    assert (change.ordinal, change.step) == (1, 2)
    ask(owner, "acknowledge", request=request, attempt=1, change=1)
    assert other.answer("tuned")[0].change.step == 2
    ids = [FIRST_BYTE + byte for byte in b"hello" + LETTERS[:2]]
    go_on.set()
    generate(owner, request, attempt=2, ids=ids, n_prompt=5, fingerprint="f1", semantics="fake/1", model="fake", change=1)
    assert owner.answer("done")[0].reason == text_pb2.FINISH_SUPERSEDED
    rest, _, _, done = collect(owner)
    assert (rest, done.reason, done.attempt) == (LETTERS[2:], text_pb2.FINISH_LENGTH, 2)


def test_a_text_that_rests_can_be_cancelled(front):
    owner, other, request = resting(front, threading.Event())
    ask(other, "cancel", request=request)
    assert other.answer("cancelled")[0].n_tokens == 2
    done, _ = owner.answer("done")
    assert (done.reason, done.attempt, done.n_tokens) == (text_pb2.FINISH_CANCELLED, 1, 2)


def test_a_change_that_does_not_fit_the_model_is_not_the_owners_fault(front):
    owner, asker = front.client(), front.client()
    request = generate(owner)
    message = text_pb2.TextRequest()
    message.tune.call, message.tune.request = 7, request
    step = message.tune.strategy.steps.add()
    step.name = "logit_bias"
    step.numbers.append(1)
    step.lists.add().ids.append(10 ** 5)
    ask(owner, "list")
    owner.answer("listed")                      # the request is there before the Tune
    asker.send(message)
    ask(asker, "list")
    asker.answer("listed")
    front.modeld()
    text, _, changes, done = collect(owner)
    assert (text, changes, done.reason) == (LETTERS, [], text_pb2.FINISH_LENGTH)
    assert asker.answer("failed")[0].error.code == common_pb2.BAD_ID
    assert asker.answers.empty()


@pytest.mark.parametrize("kind, n_frames, fields", [
    ("detokenize", 2, {}), ("score", 2, {}), ("score", 2, {"has_ids": True}), ("tokenize", 2, {}),
    ("tune", 1, {"request": b"x"}), ("cancel", 1, {"request": b"x"}), ("list", 1, {}), ("status", 2, {})])
def test_frames_that_belong_to_nothing_are_refused(front, kind, n_frames, fields):
    front.modeld()
    client = front.client()
    ask(client, kind, [array.array("i", [5]).tobytes()] * n_frames, **fields)
    failed, _ = client.answer("failed")
    assert (failed.call, failed.error.code) == (7, common_pb2.BAD_MESSAGE)


def test_a_generate_with_a_frame_too_many_is_refused(front):
    front.modeld()
    client = front.client()
    message = text_pb2.TextRequest()
    body = message.generate
    body.request, body.attempt, body.max_new_tokens, body.n_prompt = os.urandom(16), 1, 4, 1
    client.send(message, [array.array("i", [5]).tobytes()] * 2)
    done, _ = client.answer("done")
    assert (done.reason, done.error.code) == (text_pb2.FINISH_ERROR, common_pb2.BAD_MESSAGE)
