"""SAMPLER.md is exact enough: a sampler that is written from it draws what samplerd draws."""
import array
import math
import random
import re

import pytest

from conftest import ROOT
from fake_link import common_pb2
from modeld_by_hand import ModeldByHand, ids_of

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


STAGES = {one.__name__: one for one in (repetition_penalty, temperature, top_k, min_p, top_p)}


def draw(row, ids, chain, seed, step):
    left = dict(enumerate(row))
    for name, value in chain.items():
        left = STAGES[name](left, set(ids), value)
    weight, u, sum_so_far = weights(left), philox(seed, step, 0), 0
    for i in sorted(left):
        sum_so_far += weight[i]
        if sum_so_far * 2 ** 53 > u * sum(weight.values()):
            return i


def test_the_number_of_the_page():
    told = re.search(r"seed 7 the draw of step 0 has ([0-9.]+)\.\n", (ROOT / "proto" / "SAMPLER.md").read_text())
    assert float(told[1]) == philox(7, 0, 0) / 2 ** 53


@pytest.fixture
def modeld(stack, fakes):
    stack.folder.joinpath("sockets").mkdir()
    address = f"ipc://{stack.folder}/sockets/samplers"
    one = fakes(ModeldByHand, address)
    stack.start("samplerd", "--join", address)
    return one.join()


CHAINS = [{}, dict(temperature=0.7), dict(repetition_penalty=1.1, temperature=0.8, top_p=0.9), dict(top_k=40, min_p=0.05),
          dict(top_p=0.5, temperature=1.5)]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
def test_the_rules_of_the_page_draw_what_samplerd_draws(modeld, chain):
    chance = random.Random(str(chain))
    strategy = common_pb2.Strategy(steps=[common_pb2.Step(name=name, numbers=[value]) for name, value in chain.items()])
    drawn, again = [], []
    for step in range(100):
        row = array.array("f", [chance.gauss(0, 4) for _ in range(N_VOCAB)]).tolist()
        ids, seed = [chance.randrange(N_VOCAB) for _ in range(50)], chance.getrandbits(53)
        drawn += ids_of(modeld.ask(row, ids=ids, seed=seed, step=step, strategy=strategy)[0])
        again.append(draw(row, ids, chain, seed, step))
    assert drawn == again and len(set(drawn)) > 10
