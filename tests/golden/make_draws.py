#!/usr/bin/env python3
"""Makes draws.jsonl: which id each (seed, step) draws from small rows, worked out independently of the
C code: Philox from its paper, exact fractions for the rules.

    python3 make_draws.py > draws.jsonl
"""
import json
import math
import random
from fractions import Fraction

MASK = 0xFFFFFFFF


def philox(counter, key):
    x, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(b >> 32) ^ x[1] ^ k[0], b & MASK, (a >> 32) ^ x[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return x


def uniform(seed, step, stream=0):
    x = philox((step, stream, 0, 0), (seed & MASK, seed >> 32))
    return Fraction(((x[0] << 32) | x[1]) >> 11, 2 ** 53)


def repetition_penalty(logits, history, penalty):
    for i in set(history):
        logits[i] = logits[i] / penalty if logits[i] > 0 else logits[i] * penalty


def temperature(logits, history, value):
    for i in logits:
        logits[i] /= value


def top_k(logits, history, k):
    kth = sorted(logits.values(), reverse=True)[min(k, len(logits)) - 1]
    for i in [i for i in logits if logits[i] < kth]:
        del logits[i]


def top_p(logits, history, p):
    above, weights = Fraction(0), softmax(logits)
    for i in sorted(logits, key=lambda i: (-logits[i], i)):
        if above >= Fraction(p):
            del logits[i]
        above += weights[i]


def softmax(logits):
    largest = max(logits.values())
    weights = {i: Fraction(math.exp(logits[i] - largest)) for i in logits}
    total = sum(weights.values())
    return {i: weights[i] / total for i in weights}


STEPS = {f.__name__: f for f in (repetition_penalty, temperature, top_k, top_p)}
CHAINS = [
    [],
    [{"temperature": 0.8}],
    [{"repetition_penalty": 1.1}, {"temperature": 0.8}, {"top_p": 0.9}],
    [{"top_k": 3}, {"temperature": 1.5}],
    [{"top_p": 0.95}],
]


def draw(logits, history, chain, seed, step):
    """The id; None where rounding could decide."""
    left = dict(enumerate(logits))
    for one in chain:
        (name, value), = one.items()
        STEPS[name](left, history, value)
    u, running, id_drawn = uniform(seed, step), Fraction(0), None
    for i, probability in sorted(softmax(left).items()):
        running += probability
        if abs(running - u) < Fraction(1, 10 ** 9):
            return None
        if id_drawn is None and running > u:
            id_drawn = i
    return id_drawn


def main():
    rng = random.Random(2011)
    seeds = [0, 1, 42, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]
    for n in range(300):
        logits = [round(rng.gauss(0, 2) * 256) / 256 for _ in range(rng.randrange(1, 12))]  # exact in float32
        history = [rng.randrange(len(logits)) for _ in range(rng.randrange(4))]
        case = {"logits": logits, "history": history, "chain": CHAINS[n % len(CHAINS)],
                "seed": rng.choice(seeds + [rng.randrange(2 ** 53)]), "step": rng.choice([0, 1, n, 2 ** 20])}
        id_drawn = draw(**case)
        if id_drawn is not None:
            print(json.dumps({**case, "id": id_drawn}))


assert philox((0, 0, 0, 0), (0, 0)) == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
main()
