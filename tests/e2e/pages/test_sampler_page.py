"""SAMPLER.md is exact enough: a sampler that is written from it draws what samplerd draws."""
import array
import math
import random
import re

import pytest

from conftest import ROOT
from fake_link import common_pb2
from modeld_by_hand import ids_of, joined_by_hand

N_VOCAB, MASK = 300, 2 ** 32 - 1


def philox(seed, step, stream):
    """10 rounds of Philox4x32 (Salmon et al. 2011); u times 2^53."""
    key, x = [seed & MASK, seed >> 32], [step, stream, 0, 0]
    for _ in range(10):
        high, low = divmod(x[0] * 0xD2511F53, 2 ** 32)
        other_high, other_low = divmod(x[2] * 0xCD9E8D57, 2 ** 32)
        x = [other_high ^ x[1] ^ key[0], other_low, high ^ x[3] ^ key[1], low]
        key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
    return (x[0] << 32 | x[1]) >> 11


def weights(left):
    largest = max(left.values())
    return {i: round(math.exp(z - largest) * 2 ** 44) if largest - z < 32 else 0 for i, z in left.items()}


def by_rank(left):
    return sorted(left, key=lambda i: (-left[i], i))


def repetition_penalty(left, ids, x):
    return {i: z if i not in ids else z / x if z > 0 else z * x for i, z in left.items()}


def end_of_newest_breaker(last, breakers):
    """How many ids follow it."""
    for start in reversed(range(len(last))):
        found = [len(one) for one in breakers if last[start:start + len(one)] == one]
        if found:
            return len(last) - start - max(found)
    return len(last)


def dry(left, ids, multiplier, base, allowed_length, last_n, breakers):
    last = ids if last_n == -1 else ids[max(len(ids) - last_n, 0):]
    most, longest = end_of_newest_breaker(last, breakers), {}
    for end in range(1, len(last)):
        r = 0
        while r < min(most, end) and last[end - 1 - r] == last[-1 - r]:
            r += 1
        if r >= allowed_length and [last[end]] not in breakers:
            longest[last[end]] = max(longest.get(last[end], 0), r)
    most_raised = math.floor(88.7228391 / math.log(base)) if base > 1.000001 else math.inf
    return {i: z - multiplier * base ** min(longest[i] - allowed_length, most_raised) if i in longest else z
            for i, z in left.items()}


def temperature(left, ids, x):
    return {i: z / x for i, z in left.items()}


def top_k(left, ids, k):
    return {i: z for i, z in left.items() if z >= left[by_rank(left)[k - 1]]}


def min_p(left, ids, x):
    return {i: z for i, z in left.items() if z >= max(left.values()) + math.log(x)}


def top_p(left, ids, x):
    weight, kept, above = weights(left), {}, 0
    for i in by_rank(left):
        if above >= x * sum(weight.values()):
            break
        kept[i], above = left[i], above + weight[i]
    return dict(sorted(kept.items()))


STAGES = {one.__name__: one for one in (repetition_penalty, dry, temperature, top_k, min_p, top_p)}


def draw(row, ids, chain, seed, step):
    left = dict(enumerate(row))
    for name, numbers, *lists in chain:
        left = STAGES[name](left, ids, *numbers, *lists)
    weight, u, sum_so_far = weights(left), philox(seed, step, 0), 0
    for i in sorted(left):
        sum_so_far += weight[i]
        if sum_so_far * 2 ** 53 > u * sum(weight.values()):
            return i


def on_wire(chain):
    return common_pb2.Strategy(steps=[
        common_pb2.Step(name=name, numbers=numbers, lists=[common_pb2.IdList(ids=ids) for one in lists for ids in one])
        for name, numbers, *lists in chain])


def test_the_number_of_the_page():
    told = re.search(r"seed 7 the draw of step 0 has ([0-9.]+)\.\n", (ROOT / "proto" / "SAMPLER.md").read_text())
    assert float(told[1]) == philox(7, 0, 0) / 2 ** 53


@pytest.fixture
def modeld(stack, fakes):
    return joined_by_hand(stack, fakes)


CHAINS = [[], [("temperature", [0.7])], [("repetition_penalty", [1.1]), ("temperature", [0.8]), ("top_p", [0.9])],
          [("top_k", [40]), ("min_p", [0.05])], [("top_p", [0.5]), ("temperature", [1.5])]]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_the_rules_of_the_page_draw_what_samplerd_draws(modeld, chain):
    chance = random.Random(str(chain))
    drawn, again = [], []
    for step in range(100):
        row = array.array("f", [chance.gauss(0, 4) for _ in range(N_VOCAB)]).tolist()
        ids, seed = [chance.randrange(N_VOCAB) for _ in range(50)], chance.getrandbits(53)
        drawn += ids_of(modeld.ask(row, ids=ids, seed=seed, step=step, strategy=on_wire(chain))[0])
        again.append(draw(row, ids, chain, seed, step))
    assert drawn == again and len(set(drawn)) > 10


def test_the_example_of_dry():
    assert dry({0: 5.0, 1: 5.0, 2: 5.0}, [1, 2, 1], 0.5, 2, 1, -1, [[1, 2], [1, 0]]) == {0: 5.0, 1: 5.0, 2: 4.5}


def dry_is_the_same(modeld, n_vocab, ids, numbers, breakers):
    """Returns whether anything was lowered."""
    row, chain = [0.0] * n_vocab, [("dry", numbers, breakers)]
    _, (told,) = modeld.ask(row, ids=ids, strategy=on_wire(chain), want_probabilities=True)
    left = dry(dict(enumerate(row)), ids, *numbers, breakers)
    weight = weights(left)
    assert array.array("d", told).tolist() == [weight[i] / sum(weight.values()) for i in left], (ids, numbers, breakers)
    return any(left.values())


def test_of_breakers_the_one_that_begins_latest_counts(modeld):
    ids, numbers = [3, 4, 5, 0, 1, 2, 3, 4, 5], [0.25, 2, 1, -1]
    assert end_of_newest_breaker(ids, [[1, 2, 3], [2]]) == 3 and end_of_newest_breaker(ids, [[2], [2, 3]]) == 2
    for breakers in [[1, 2, 3], [2]], [[2], [2, 3]], [[1, 2, 3]], []:
        assert dry_is_the_same(modeld, 6, ids, numbers, breakers)


def test_dry_lowers_what_the_page_says(modeld):
    """Of few ids, so that there is much to be repeated."""
    chance = random.Random("dry")
    n_lowered = 0
    for _ in range(400):
        n_vocab = chance.randint(2, 5)
        ids = [chance.randrange(n_vocab) for _ in range(chance.randint(0, 24))]
        last_n = chance.choice([-1, 0, 5, 12, 99])
        numbers = [chance.choice([0.25, 1.0]), chance.choice([1, 1.5, 2]), chance.randint(0, 3), last_n]
        breakers = [[chance.randrange(n_vocab) for _ in range(chance.randint(1, 3))] for _ in range(chance.randint(0, 3))]
        n_lowered += dry_is_the_same(modeld, n_vocab, ids, numbers, breakers)
    assert n_lowered > 100
