"""Peers that delay, drop, send garbage and die: the text goes on, or ends with one clear sentence."""
import array
import os

import pytest

from conftest import Stack, wait_until
import fake_client
import fake_modeld
import fake_samplerd
import fake_tokenizerd
from misbehaviour import dies, garbage, hangs
import text_pb2

LETTERS = "abcdefghijklmnopqrstuvwxyz"
GREEDY = ("generate", "hello", "--greedy", "--max-new-tokens", "12", "--ignore-eos")


def address(stack, name):
    return f"ipc://{stack.runtime}/{name}"


# samplerd

@pytest.fixture
def sampled(stack, models, fakes):
    """A stack whose only samplerd is a fake; sampled(misbehave) → (text, fake). Where no deadline has to pass it is a
    long one, so that no step is taken twice."""
    stack.start("tokenizerd")

    def start(step_deadline_ms):
        stack.start("modeld", "--model", models(type="F32", seed=4), "--step-deadline-ms", step_deadline_ms)

    def run(misbehave=None, beside=False, step_deadline_ms=60000):
        start(step_deadline_ms)
        fake = fakes(fake_samplerd.FakeSamplerd, address(stack, "samplers"), misbehave=misbehave)
        fake.wait_joined()
        if beside:
            fakes(fake_samplerd.FakeSamplerd, address(stack, "samplers"), name="honest").wait_joined()
        return stack.run(*GREEDY), fake
    run.stack, run.start = stack, start
    return run


@pytest.fixture
def greedy_text(models, stack):
    """What the real samplerd makes of the same request."""
    with Stack() as other:
        other.start_all(models(type="F32", seed=4))
        return other.text(*GREEDY[1:])


def test_an_honest_sampler_in_another_language(sampled, greedy_text):
    done, _ = sampled()
    assert done.returncode == 0, done.stderr
    assert done.stdout == greedy_text


@pytest.mark.parametrize("misbehave", [
    fake_samplerd.drops(5), fake_samplerd.garbage(5), fake_samplerd.twice(), fake_samplerd.changes("ticket", 12345, every=5),
    fake_samplerd.changes("id", 10 ** 6, every=5), fake_samplerd.changes("id", -1, every=5),
    fake_samplerd.changes("logprob", float("nan"), every=5), fake_samplerd.changes("state", b"x" * 5000, every=5)],
    ids=["drops", "garbage", "twice", "wrong ticket", "id too high", "id negative", "logprob nan", "state too long"])
def test_a_sampler_that_fails_now_and_then_costs_retries_only(sampled, greedy_text, misbehave):
    done, fake = sampled(misbehave, step_deadline_ms=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout == greedy_text
    assert fake.n_steps >= 12


def test_a_late_sampler_ends_with_a_sentence(sampled):
    done, _ = sampled(fake_samplerd.late(0.8), step_deadline_ms=300)
    assert done.returncode == 1 and b"sampler" in done.stderr


def test_a_sampler_that_dies_is_replaced(sampled, greedy_text):
    done, _ = sampled(fake_samplerd.dies(4), beside=True, step_deadline_ms=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout == greedy_text


def test_a_sampler_that_refuses_ends_the_text_with_its_sentence(sampled):
    done, fake = sampled(fake_samplerd.refuses(17))
    assert done.returncode == 1 and b"this fake refuses" in done.stderr
    assert fake.n_steps == 1


def test_the_state_travels_with_the_request(sampled):
    _, fake = sampled()
    states = [message.sample.state for _, message, _ in fake.seen]
    assert states == [b""] + [b"steps:%d" % n for n in range(1, 12)]


def test_other_semantics_do_not_take_over(sampled, fakes):
    """A step is retried only on a sampler of equal semantics."""
    sampled.start(step_deadline_ms=500)
    other = fakes(fake_samplerd.FakeSamplerd, address(sampled.stack, "samplers"), name="other", semantics="other/9",
                  misbehave=fake_samplerd.dies(3))
    other.wait_joined()
    client = sampled.stack.popen(*GREEDY, "--wait", "3")
    wait_until(lambda: other.ending.is_set(), what="the first sampler died")
    fakes(fake_samplerd.FakeSamplerd, address(sampled.stack, "samplers")).wait_joined()
    _, errors = client.communicate(timeout=60)
    assert client.returncode == 1 and b"samplerd" in errors


# modeld

@pytest.fixture
def modelled(stack, fakes):
    stack.start("tokenizerd", "--heartbeat-ms", "200")
    wait_until(lambda: stack.daemons(), what="tokenizerd")

    def join(**keywords):
        fake = fakes(fake_modeld.FakeModeld, address(stack, "models"), **keywords)
        fake.wait_joined()
        return fake
    join.stack = stack
    return join


def letters(stack, *flags):
    done = stack.run("generate", "hello", "--max-new-tokens", "26", "--seed", "1", *flags)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("next_token", [None, garbage(), fake_modeld.strays()],
                         ids=["honest", "garbage", "strays"])
def test_only_the_right_tokens_are_shown(modelled, next_token):
    modelled(next_token=next_token)
    assert letters(modelled.stack)[:2] == (0, LETTERS + "\n")


def test_an_impossible_id_cuts_the_modeld(modelled):
    def bad_once(fake, sender, sequence, step):
        if step == 5 and not fake.name_on_link.endswith("done"):
            fake.name_on_link += "done"
            fake.send_token(sender, sequence, step, id=10 ** 6)
            return True
        return False
    modelled(next_token=bad_once)
    code, text, sentence = letters(modelled.stack)
    assert (code == 0 and text == LETTERS + "\n") or (code == 1 and sentence)


@pytest.mark.parametrize("how", [dies, hangs], ids=["dies", "hangs"])
def test_a_lost_modeld_is_replaced_at_the_same_step(modelled, how):
    first = modelled(next_token=how(7))
    client = modelled.stack.popen("generate", "hello", "--max-new-tokens", "26", "--seed", "1")
    wait_until(lambda: first.ending.is_set() or first.silent, what="the first modeld is gone")
    second = modelled()
    output, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert output.decode() == LETTERS + "\n"
    reopened = [(m.open, raw) for _, m, raw in second.seen if m.WhichOneof("body") == "open"]
    (opened, raw), = reopened
    assert len(array.array("i", raw[0])) - opened.n_prompt == 7
    assert opened.state == b"after 6" and opened.semantics == "fake/1" and opened.seed == 1


def test_no_modeld_comes_back(modelled):
    modelled(next_token=dies(3))
    code, text, sentence = letters(modelled.stack, "--wait", "4")
    assert code == 1 and text.startswith("abc") and "modeld" in sentence


def test_another_model_under_a_taken_name_is_refused(modelled, fakes):
    modelled()
    other = fakes(fake_modeld.FakeModeld, address(modelled.stack, "models"), fingerprint="f2")
    wait_until(lambda: other.n_refused, what="a refusal")
    model, = modelled.stack.lines("status")[0]["models"]
    assert model["loads"] == 1 and not other.ready.is_set()


def test_an_unknown_vocabulary_is_refused(modelled):
    modelled(name="odd", split="nonsense", vocabulary="v2")
    sentence = modelled.stack.refused_soon("generate", "hello", "--wait", "0.5")
    assert "modeld" in sentence


# tokenizerd, as the client sees it

@pytest.mark.parametrize("chunk", [None, garbage(), fake_tokenizerd.strays()],
                         ids=["honest", "garbage", "strays"])
def test_the_client_shows_only_what_is_due(stack, fakes, chunk):
    os.makedirs(stack.runtime, mode=0o700)
    fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"), chunk=chunk)
    assert letters(stack)[:2] == (0, LETTERS + "\n")


@pytest.mark.parametrize("how", [dies, hangs], ids=["dies", "hangs"])
def test_the_client_resumes_where_it_was(stack, fakes, how):
    os.makedirs(stack.runtime, mode=0o700)
    first = fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"), chunk=how(9))
    client = stack.popen("generate", "hello", "--max-new-tokens", "26", "--seed", "1", "--wait", "20")
    wait_until(lambda: first.ending.is_set() or first.silent, what="the first tokenizerd is gone")
    first.close()
    second = fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"))
    output, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert output.decode() == LETTERS + "\n"
    generate, raw = second.generates[0]
    assert generate.attempt == 2 and generate.n_prompt == 3 and not generate.segments
    assert list(array.array("i", raw[0])) == [1, 2, 3, *range(10, 19)]
    assert generate.state == b"after 8" and generate.fingerprint == "f1" and generate.semantics == "fake/1"


@pytest.mark.parametrize("rest", [b"jk", b"j\xef\xbf\xbd"], ids=["text", "half a character"])
def test_text_that_was_let_go_is_not_shown_again(stack, fakes, rest):
    """Its tokenizerd is lost between the last text and the Done, and the next one draws on."""
    os.makedirs(stack.runtime, mode=0o700)
    first = fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"), chunk=fake_tokenizerd.lets_go(9, rest))
    client = stack.popen("generate", "hello", "--max-new-tokens", "26", "--seed", "1", "--wait", "20", "--timings")
    wait_until(first.ending.is_set, what="the first tokenizerd is gone")
    first.close()

    def emoji_second(fake, sender, generate, step):
        if step == 10 and rest != b"jk":
            fake.send_chunk(sender, generate, step, text="\U0001f600".encode())
        return False                           # the letter k, a second token of this step, is not due
    fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"), decode_ms=1600, chunk=emoji_second)
    output, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert output.decode() == LETTERS[:9] + rest.decode() + LETTERS[11:] + "\n"
    assert "26 tokens, 10.0 tok/s" in errors.decode()     # 17 of them are of this attempt


def test_no_wait_is_a_wait_of_a_millisecond(stack, fakes):
    """On the wire 0 stands for the default."""
    os.makedirs(stack.runtime, mode=0o700)
    fake = fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"), n_tokens=2)
    assert stack.run("generate", "hello", "--max-new-tokens", "2", "--wait", "0").returncode == 0
    assert fake.generates[0][0].wait_ms == 1


def test_the_client_gives_up_with_a_sentence(stack, fakes):
    os.makedirs(stack.runtime, mode=0o700)
    fakes(fake_tokenizerd.FakeTokenizerd, address(stack, "clients"), chunk=dies(9))
    code, text, sentence = letters(stack, "--wait", "4")
    assert code == 1 and text.startswith(LETTERS[:9]) and "tokenizerd" in sentence


# a client that no one would write

@pytest.fixture
def by_hand(tiny, fakes):
    client = fakes(fake_client.FakeClient, address(tiny, "clients"))
    client.wait_joined()
    return client


HELLO = b"hello"


def generate_message(**fields):
    message = text_pb2.TextRequest()
    body = message.generate
    body.request, body.attempt, body.max_new_tokens, body.seed = os.urandom(16), 1, 4, 1
    body.ignore_eos = True
    body.segments.add(n_bytes=len(HELLO))
    for name, value in fields.items():
        setattr(body, name, value)
    return message


def test_garbage_frames_are_dropped_and_counted(tiny, by_hand):
    before = tiny.lines("status")[0].get("garbage", 0)
    for frames in ([b""], [os.urandom(100)], [b"x"] * 9, [b"\xff" * 10, b"", b""]):
        by_hand.send_frames(frames)
    by_hand.send(generate_message(), [HELLO])
    assert by_hand.answer("done")[0].reason == text_pb2.FINISH_LENGTH
    assert tiny.lines("status")[0]["garbage"] > before


@pytest.mark.parametrize("fields", [
    {"request": b"short"}, {"attempt": 0}, {"max_new_tokens": 0}, {"seed": 2 ** 60}, {"stops": [b""]},
    {"stop_ids": [10 ** 7]}, {"n_candidates": 10 ** 6}, {"model": "x" * 1000}, {"priority": 11}, {"priority": -11},
    {"traceparent": "00-no-trace-01"}], ids=str)
def test_a_bad_generate_is_answered_and_forgotten(tiny, by_hand, fields):
    message = generate_message()
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(message.generate, name).extend(value)
        else:
            setattr(message.generate, name, value)
    by_hand.send(message, [HELLO])
    done, _ = by_hand.answer("done")
    assert done.reason == text_pb2.FINISH_ERROR and done.error.message
    assert tiny.lines("ps")[0]["requests"] == []


def test_a_higher_attempt_takes_over(models, stack, fakes):
    """The lower attempt ends with superseded, wherever it is shown, and is never re-opened."""
    stack.start_all(models(type="F32", seed=1, context=20000))
    by_hand, other = (fakes(fake_client.FakeClient, address(stack, "clients"), name=name) for name in ("one", "other"))
    by_hand.wait_joined()
    other.wait_joined()
    message = generate_message(max_new_tokens=19000)
    by_hand.send(message, [HELLO])
    by_hand.answer("chunk")
    again = text_pb2.TextRequest()
    again.CopyFrom(message)
    again.generate.attempt, again.generate.max_new_tokens = 2, 50
    other.send(again, [HELLO])
    assert by_hand.answer("done")[0].reason == text_pb2.FINISH_SUPERSEDED
    done, _ = other.answer("done")
    assert done.reason == text_pb2.FINISH_LENGTH and done.attempt == 2
    by_hand.send(message, [HELLO])
    assert by_hand.answer("done")[0].reason == text_pb2.FINISH_SUPERSEDED


def test_ids_that_do_not_fit_their_header(tiny, by_hand):
    message = generate_message()
    del message.generate.segments[:]
    message.generate.n_prompt = 3
    for raw in ([], [b"abc"], [array.array("i", [1, 2]).tobytes()], [array.array("i", [1, 2, 10 ** 7]).tobytes()]):
        message.generate.request = os.urandom(16)
        by_hand.send(message, raw)
        assert by_hand.answer("done")[0].reason == text_pb2.FINISH_ERROR
