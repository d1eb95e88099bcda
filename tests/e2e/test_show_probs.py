"""What the model thought likely, token by token, and the chapter's examples number by number."""
import math

import pytest

PROMPT = "Once upon a time"
CHAIN = ["--chain", '[{"temperature": 0.8}, {"top_k": 4}, {"top_p": 0.9}]']


def test_candidates_in_json(tiny):
    arguments = ["generate", PROMPT, "--seed", "3", "--max-new-tokens", "6", "--ignore-eos", *CHAIN]
    plain = [line for line in tiny.lines(*arguments) if "id" in line]
    lines = [line for line in tiny.lines(*arguments, "--show-probs", "8") if "id" in line]
    assert not any("candidates" in line for line in plain)
    for bare, line in zip(plain, lines, strict=True):
        candidates = line.pop("candidates")
        assert line == bare                     # looking changes nothing
        assert len(candidates) == 8
        assert [one["logprob"] for one in candidates] == sorted((one["logprob"] for one in candidates), reverse=True)
        for rank, one in enumerate(candidates):
            assert set(one) == {"id", "text", "logprob", "probability", "removed_by"}
            assert (one["removed_by"] is None) == (one["probability"] > 0)
            assert (one["removed_by"] == "top_k") == (rank >= 4)
        drawn = [one for one in candidates if one["id"] == line["id"]]
        assert len(drawn) == 1 and drawn[0]["logprob"] == line["logprob"] and drawn[0]["removed_by"] is None


def test_candidates_as_bars(tiny):
    shown = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "5", "--ignore-eos", "--show-probs", "6", *CHAIN).decode()
    plain = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "5", "--ignore-eos", *CHAIN).decode()
    assert shown.endswith(plain)                # the text itself comes last
    bars = shown[:-len(plain)].splitlines()
    assert len(bars) == 5 * 7
    assert all(len(line) <= 80 for line in bars)
    for first in range(0, len(bars), 7):
        assert " → top_k 4" in bars[first]
        assert sum(line.endswith(" ← drawn") for line in bars[first:first + 7]) == 1
        assert [line.endswith(" top_k") for line in bars[first + 5:first + 7]] == [True, True]


def test_an_unlikely_half_of_a_character_is_shown_too(tiny):
    first, second = tiny.run("tokenize", "é").stdout.decode().split(",")
    chain = f'[{{"logit_bias": [[{first}, 1000]]}}]'
    shown = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "2", "--show-probs", "1", "--chain", chain).decode()
    assert not any("drawn" in line for line in shown.splitlines())      # it is not the likeliest
    assert shown.count('"\\xc3" ') == 2, shown


def test_a_long_chain_stays_within_80_columns(tiny):
    chain = '[{"top_k": 90}, {"top_k": 80}, {"top_k": 70}, {"top_k": 60}, {"top_k": 50}, {"top_k": 40}, {"top_k": 30}]'
    shown = tiny.text(PROMPT, "--seed", "3", "--max-new-tokens", "1", "--ignore-eos", "--show-probs", "1", "--chain", chain)
    lines = shown.decode().splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert " ".join(lines[0].split() + lines[1].split()).endswith("→ top_k 40 → top_k 30")


def softmax(logits):
    powers = [math.exp(logit - max(logits)) for logit in logits]
    return [power / sum(powers) for power in powers]


def top_k(logits, k):
    return softmax([logit if logit >= sorted(logits)[-k] else -math.inf for logit in logits])


def top_p(logits, p):
    probabilities = softmax(logits)
    before = [sum(other for other in probabilities if other > one) for one in probabilities]
    return softmax([logit if mass < p else -math.inf for logit, mass in zip(logits, before)])


WORDS = [5.0, 3.0, 2.0, 1.0, 0.5, -1.0, -2.0, -5.0]
PENALIZED = [5 / 1.5, 3 / 1.5, 2 / 1.5, 1.0, -1.0]
EXAMPLES = [
    *((WORDS[:5], ["--temperature", t], softmax([logit / t for logit in WORDS[:5]])) for t in (0.5, 1.0, 1.5)),
    *((WORDS, ["--top-k", k], top_k(WORDS, k)) for k in (1, 3, 5, 8)),
    *((row, ["--top-p", 0.9], top_p(row, 0.9)) for row in ([10.0, 2.0, 1.0, 0.5, 0.1], [2.0, 1.8, 1.5, 1.3, 1.0])),
    ([5.0, 3.0, 2.0, 1.0, -1.0], ["--repetition-penalty", 1.5, "--history", "0,1,2"], softmax(PENALIZED)),
]


@pytest.mark.parametrize("logits, flags, expected", EXAMPLES, ids=[" ".join(map(str, e[1])) for e in EXAMPLES])
def test_the_chapters_examples(tiny, logits, flags, expected):
    row = "--logits=" + ",".join(map(str, logits))
    answer = tiny.lines("probe", row, *flags)[0]
    assert answer["probs"] == pytest.approx(expected, abs=1e-6)
    assert [one == 0 for one in answer["probs"]] == [one == 0 for one in expected]


def test_penalized_logits_as_in_the_chapter(tiny):
    shown = tiny.run("probe", "--logits=5,3,2,1,-1", "--labels", "the,cat,sat,on,a", "--history", "0,1,2",
                     "--repetition-penalty", "1.5").stdout.decode()
    for line in ("the : 5.0 → 3.33 ← penalized", "cat : 3.0 → 2.00 ← penalized", "sat : 2.0 → 1.33 ← penalized",
                 "on  : 1.0 → 1.00", "a   : -1.0 → -1.00"):
        assert line in shown.splitlines()
