"""Positions turned by each rule of scaling, against llama.cpp on the same files (tests/golden/make_rotations.py)."""
import json

import pytest

from conftest import Stack

MEAN_MAX, MAX = 0.01, 0.05      # plain itself has 0.0016 and 0.007: float16 keys and values, other orders of sums


@pytest.fixture(scope="module")
def cases(models, golden):
    """name → (its lines of the golden file, the scores of their ids)."""
    lines = {}
    for case in golden("rotations.jsonl"):
        lines.setdefault(case["case"], []).append(case)
    return {name: (some, scores(models(**some[0]["model"]), lines)) for name, some in lines.items()}


def scores(model, lines):
    """Of the ids of any case, for they are the same in all."""
    ids = "".join(json.dumps({"ids": line["ids"]}) + "\n" for line in lines["plain"]).encode()
    with Stack() as stack:
        stack.start_all(model, "--threads", "1", "--name", "turned")
        return stack.lines("score", "--input", "-", "--top", "320", input=ids)


def differences(lines, scored):
    for line, score in zip(lines, scored, strict=True):
        ours = dict(map(tuple, score["top"]))
        yield from (abs(logprob - ours[i]) for i, logprob in line["next_top"])


def test_every_rule_gives_the_log_probabilities_of_llama_cpp(cases):
    for name, (lines, scored) in cases.items():
        found = list(differences(lines, scored))
        print(f"{name}: mean {sum(found) / len(found):.6f}, largest {max(found):.6f}")
        assert sum(found) / len(found) <= MEAN_MAX and max(found) <= MAX, name


def test_another_rule_misses_them_by_far(cases):
    """Each case scored by the model of each other one: what separates right from wrong is far more than the bound."""
    alike = {"plain", "none, with a factor"}, {"linear", "the old linear key"}
    for name, (lines, _) in cases.items():
        for other, (_, scored) in cases.items():
            if name == other or any({name, other} <= both for both in alike):
                continue
            found = list(differences(lines, scored))
            print(f"{name} by {other}: mean {sum(found) / len(found):.4f}, largest {max(found):.4f}")
            assert sum(found) / len(found) > 50 * MEAN_MAX and max(found) > 20 * MAX, (name, other)
