"""Rows after their first stages: a modeld or a samplerd that lies about them gets a sentence, and life goes on."""
import array
import math
import struct

import pytest

from conftest import Stack
from fake_link import common_pb2
from modeld_by_hand import GREEDY, ROW, ids_of, joined_by_hand
import fake_samplerd
import logits_pb2

ONE = 2 ** 44                                  # the weight of the largest logit
TOTAL = sum(round(math.exp(z - max(ROW)) * ONE) for z in ROW)
LEFT = [(0, 5, 10), (2, 2, 4)]                 # id, logit as it came, logit after the stages that are done
LARGEST, LARGEST_DOUBLE, SMALLEST, SMALLEST_DOUBLE = 3.4028234663852886e38, 1.7976931348623157e308, 1e-45, 5e-324


def steps(*named):
    return common_pb2.Strategy(steps=[common_pb2.Step(name=name, numbers=numbers) for name, *numbers in named])


CHAIN = steps(("temperature", 0.5), ("top_k", 2), ("greedy",))
ADAPTIVE = steps(("adaptive_p", 0.5, 0.9))


def frame_of(left):
    ids, came, now = zip(*left)
    return array.array("i", ids).tobytes() + array.array("f", came).tobytes() + array.array("d", now).tobytes()


WHOLE = array.array("f", ROW).tobytes()


# a modeld that lies

@pytest.fixture
def modeld(stack, fakes):
    return joined_by_hand(stack, fakes)


def ask_cut(modeld, left=LEFT, frame=None, strategy=CHAIN, request=None, **changes):
    cut = dict(n_stages=2, n_left=len(left), raw_max=max(ROW), raw_total=TOTAL)
    raw = [frame_of(left) if frame is None else frame, b""]
    return modeld.ask(ROW, raw=raw, cut=logits_pb2.CutRow(**{**cut, **changes}), strategy=strategy, **(request or {}))[0]


def test_what_is_left_is_drawn_from_as_all_of_it_would_be(modeld):
    whole, cut = modeld.ask(ROW, strategy=CHAIN)[0], ask_cut(modeld)
    assert ids_of(whole) == ids_of(cut) == [0] and whole.drawn[0].logprob == pytest.approx(cut.drawn[0].logprob, abs=1e-12)
    assert modeld.hello.sampler.takes_cut_rows


BAD_ID, BAD_MESSAGE, BAD_REQUEST = common_pb2.BAD_ID, common_pb2.BAD_MESSAGE, common_pb2.BAD_REQUEST
ODD = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
LIES = {
    "id too high": (dict(left=[(0, 5, 10), (5, 2, 4)]), BAD_ID),
    "id far too high": (dict(left=[(0, 5, 10), (2 ** 31 - 1, 2, 4)]), BAD_ID),
    "id negative": (dict(left=[(-1, 5, 10), (2, 2, 4)]), BAD_ID),
    "id twice": (dict(left=[(2, 5, 10), (2, 2, 4)]), BAD_MESSAGE),
    "ids out of order": (dict(left=LEFT[::-1]), BAD_MESSAGE),
    "above the largest": (dict(left=[(0, 5.5, 10), (2, 2, 4)]), BAD_MESSAGE),
    **{f"came as {name}": (dict(left=[(0, 5, 10), (2, z, 4)]), BAD_MESSAGE) for name, z in ODD.items()},
    **{f"became {name}": (dict(left=[(0, 5, 10), (2, 2, z)]), BAD_MESSAGE) for name, z in ODD.items()},
    **{f"largest {name}": (dict(raw_max=z), BAD_MESSAGE) for name, z in ODD.items()},
    **{f"total {n}": (dict(raw_total=n), BAD_MESSAGE) for n in (0, 1, ONE - 1, 5 * ONE + 1, 2 ** 64 - 1)},
    **{f"{n} left": (dict(n_left=n), BAD_MESSAGE) for n in (0, 1, 3, 6, 2 ** 28 + 2, 2 ** 32 - 1)},
    "no frame": (dict(frame=b""), BAD_MESSAGE),
    "a byte less": (dict(frame=frame_of(LEFT)[:-1]), BAD_MESSAGE),
    "the whole row": (dict(frame=WHOLE), BAD_MESSAGE),
    "and the whole row": (dict(frame=frame_of(LEFT) + WHOLE), BAD_MESSAGE),
    **{f"{n} stages done": (dict(n_stages=n), BAD_MESSAGE) for n in (4, 33, 2 ** 32 - 1)},
    "of another chain": (dict(strategy=GREEDY), BAD_MESSAGE),
    "adaptive_p done": (dict(strategy=ADAPTIVE, n_stages=1), BAD_MESSAGE),
    "no vocabulary": (dict(request=dict(n_vocab=0)), common_pb2.NO_CANDIDATE),
    "a small vocabulary": (dict(request=dict(n_vocab=1)), BAD_MESSAGE),
    "a huge vocabulary": (dict(request=dict(n_vocab=2 ** 32 - 1)), common_pb2.TOO_LONG),
    "ids that did not come": (dict(request=dict(n_ids=1)), BAD_MESSAGE),
    "two rows": (dict(request=dict(n_rows=2)), BAD_REQUEST),
    "given": (dict(request=dict(given=[0])), BAD_REQUEST),
    "with candidates": (dict(request=dict(n_candidates=1)), BAD_REQUEST),
    "watched": (dict(request=dict(n_watched=1)), BAD_REQUEST),
    "with probabilities": (dict(request=dict(want_probabilities=True)), BAD_REQUEST),
    "shared": (dict(request=dict(shared=[logits_pb2.SharedRow(generation=1)])), BAD_REQUEST),
    "drafted": (dict(request=dict(drafts=[0])), BAD_MESSAGE),
    "drafted, two rows": (dict(request=dict(drafts=[0], n_rows=2)), BAD_REQUEST),
    "a state that is none": (dict(request=dict(state=b"x")), BAD_REQUEST),
}


@pytest.mark.parametrize("lie,code", LIES.values(), ids=LIES)
def test_a_cut_row_that_cannot_be_is_refused_with_a_sentence_and_the_next_one_is_drawn(modeld, lie, code):
    reply = ask_cut(modeld, **lie)
    assert reply.error.code == code and len(reply.error.message) > 10 and len(reply.drawn) == 0
    assert ids_of(ask_cut(modeld)) == [0]
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


STAGES = [("repetition_penalty", 1e-300), ("presence_penalty", 1.7e308), ("frequency_penalty", -1.7e308),
          ("dry", 1e300, 2, 0, -1), ("temperature", 1e-300), ("dynatemp", 1e-300, 1e300, 1), ("top_n_sigma", 1), ("top_k", 2),
          ("typical_p", 0.5), ("top_p", 0.5), ("min_p", 0.5), ("xtc", 1, 0), ("greedy",), ("mirostat", 1e300, 1e300),
          ("adaptive_p", 0.5, 0.5)]


@pytest.mark.parametrize("stage", STAGES, ids=[name for name, *_ in STAGES])
def test_logits_at_the_ends_of_their_range_give_an_id_that_is_left_or_a_sentence(modeld, stage):
    left = [(0, LARGEST, LARGEST_DOUBLE), (1, -LARGEST, -LARGEST_DOUBLE), (3, SMALLEST, SMALLEST_DOUBLE)]
    reply = ask_cut(modeld, left, strategy=steps(stage), n_stages=0, raw_max=LARGEST)
    if reply.HasField("error"):
        assert reply.error.code == common_pb2.NO_CANDIDATE and len(reply.error.message) > 10
    else:
        assert ids_of(reply)[0] in (0, 1, 3) and -math.inf < reply.drawn[0].logprob <= 0
    assert ids_of(ask_cut(modeld)) == [0]


def test_a_few_candidates_of_the_largest_vocabulary_are_drawn_from(modeld):
    left = [(0, 5, 10), (2 ** 19 - 1, 5, 11)]
    assert ids_of(ask_cut(modeld, left, request=dict(n_vocab=2 ** 19))) == [2 ** 19 - 1]


# scores

def ask_scored(modeld, given=(0, 3), totals=(TOTAL, ONE), largest=(5, 5), came=(5, -math.inf), frame=None, **request):
    rows = [struct.pack("<Qff", *row) for row in zip(totals, largest, came)]
    raw = [b"".join(rows) if frame is None else frame, b""]
    return modeld.ask(ROW, raw=raw, **{**dict(scored=True, given=given, n_rows=2), **request})[0]


def test_given_ids_are_scored_by_sums(modeld):
    reply = ask_scored(modeld)
    whole = modeld.ask(ROW, given=[0])[0]
    assert ids_of(reply) == [0, 3] and reply.drawn[1].logprob == -math.inf
    assert reply.drawn[0].logprob == pytest.approx(whole.drawn[0].logprob, abs=1e-12)


SCORE_LIES = {
    "nothing given": (dict(given=[]), BAD_REQUEST),
    "one given": (dict(given=[0]), BAD_MESSAGE),
    "id too high": (dict(given=[0, 5]), BAD_ID),
    "id negative": (dict(given=[0, -2]), BAD_ID),
    **{f"total {n}": (dict(totals=(TOTAL, n)), BAD_MESSAGE) for n in (0, ONE - 1, 5 * ONE + 1, 2 ** 64 - 1)},
    **{f"largest {name}": (dict(largest=(5, z)), BAD_MESSAGE) for name, z in ODD.items()},
    **{f"came as {name}": (dict(came=(z, 5)), BAD_MESSAGE) for name, z in ODD.items() if name != "-inf"},
    "above the largest": (dict(came=(5, 5.5)), BAD_MESSAGE),
    "no frame": (dict(frame=b""), BAD_MESSAGE),
    "the whole rows": (dict(frame=WHOLE * 2), BAD_MESSAGE),
    "one more row": (dict(n_rows=3, given=[0, 3, 3]), BAD_MESSAGE),
    "cut as well": (dict(cut=logits_pb2.CutRow(n_left=2, raw_max=5, raw_total=TOTAL)), BAD_REQUEST),
    "with candidates": (dict(n_candidates=1), BAD_REQUEST),
    "watched": (dict(n_watched=1), BAD_REQUEST),
    "a huge vocabulary": (dict(n_vocab=2 ** 32 - 1), common_pb2.TOO_LONG),
}


@pytest.mark.parametrize("lie,code", SCORE_LIES.values(), ids=SCORE_LIES)
def test_scored_rows_that_cannot_be_are_refused_with_a_sentence_and_the_next_ones_are_scored(modeld, lie, code):
    reply = ask_scored(modeld, **lie)
    assert reply.error.code == code and len(reply.error.message) > 10 and len(reply.drawn) == 0
    assert ids_of(ask_scored(modeld)) == [0, 3]
    assert ids_of(modeld.ask(ROW, strategy=GREEDY)[0]) == [0]


# a samplerd that lies

TEXT = ("generate", "hello", "--chain", '[{"top_k": 8}, {"greedy": true}]', "--max-new-tokens", "12", "--ignore-eos")


@pytest.fixture
def sampled(stack, models, fakes):
    """sampled(misbehave, …) → the client's end and the fakes: one that takes cut rows, by our rules unless it says others, and
    beside it as many that behave."""
    def run(misbehave=None, n_beside=0, semantics="trivium/3"):
        stack.start("tokenizerd")
        stack.start("modeld", "--model", models(type="F32", seed=4))
        made = []
        for number in range(1 + n_beside):
            made.append(fakes(fake_samplerd.FakeSamplerd, f"ipc://{stack.runtime}/samplers", name=f"fake{number}",
                              semantics=semantics, misbehave=None if number else misbehave, takes_cut_rows=True))
            made[-1].wait_joined()
        return stack.run(*TEXT), made
    return run


@pytest.fixture
def right_text(models):
    with Stack() as other:
        other.start_all(models(type="F32", seed=4))
        return other.text(*TEXT[1:])


def rows_cut(fake):
    """Of each row that it got, whether it was cut."""
    return [message.sample.HasField("cut") for _, message, _ in fake.seen if message.HasField("sample")]


def test_a_fake_that_takes_cut_rows_gets_them_and_the_text_is_the_same(sampled, right_text):
    done, (fake,) = sampled()
    assert done.returncode == 0, done.stderr
    assert done.stdout == right_text
    assert rows_cut(fake) == [True] * 12


def test_rules_that_nobody_knows_get_whole_rows_whatever_they_say(sampled, right_text):
    done, (fake,) = sampled(semantics="trivium/99")
    assert done.returncode == 0, done.stderr
    assert done.stdout == right_text
    assert rows_cut(fake) == [False] * 12


OFFERS = {"other rules": dict(semantics="trivium/99"), "no rules": dict(semantics=""), "no cut rows": dict(takes_cut_rows=False),
          "another pool": dict(pool="other")}


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_what_a_second_hello_says_changes_nothing(sampled, right_text, offer):
    done, (fake,) = sampled(fake_samplerd.changes_its_mind(4, **offer))
    assert done.returncode == 0, done.stderr
    assert done.stdout == right_text
    assert rows_cut(fake) == [True] * 12 and fake.n_refused == 0


def test_a_sampler_that_cannot_read_what_it_says_it_takes_ends_the_text_with_a_sentence(sampled):
    done, (fake,) = sampled(fake_samplerd.refuses(common_pb2.BAD_MESSAGE))
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"this fake refuses" in done.stderr
    assert fake.n_steps == 5


def test_beside_one_that_can_that_costs_retries_only(sampled, right_text):
    done, (fake, honest) = sampled(fake_samplerd.refuses(common_pb2.BAD_MESSAGE), n_beside=1)
    assert done.returncode == 0, done.stderr
    assert done.stdout == right_text
    assert fake.n_steps > 0 and rows_cut(honest) == [True] * 12


@pytest.mark.parametrize("id", (10 ** 6, -1), ids=["too high", "negative"])
def test_an_id_of_no_vocabulary_costs_a_retry(sampled, right_text, id):
    done, (fake,) = sampled(fake_samplerd.changes("id", id, every=5))
    assert done.returncode == 0, done.stderr
    assert done.stdout == right_text
    assert fake.n_steps > 12 and all(rows_cut(fake))


def test_an_id_that_was_not_left_is_taken_as_from_a_whole_row(sampled, right_text):
    """Whoever draws says what is drawn: nobody can tell a lie about that from luck."""
    done, (fake,) = sampled(fake_samplerd.changes("id", 5, every=4))
    assert done.returncode == 0, done.stderr
    assert done.stdout != right_text
    assert rows_cut(fake) == [True] * 12
