#!/usr/bin/python3
"""Makes shares.jsonl: what is left where a share meets the number that was typed exactly, worked out in fractions.

Here 0.9 is nine tenths and a share is a fraction: nothing is rounded, and no tolerance is needed, until a row's logits,
the logarithms of its shares, are written as float32. Sums are either met exactly, or missed by more than GAP, so
that each line has one right answer. A row is [[logit, how many ids in a row have it], …], what is left
[[first id, how many], …]; n_left says how many there were before and after each step.
"""
import collections
import decimal
import itertools
import json
import math
import random
import struct
from decimal import Decimal
from fractions import Fraction

decimal.getcontext().prec = 60
SCALE = 10 ** 18
GAP = SCALE * 5 // 10 ** 7          # wider than the rule's tolerance and what float32 makes of a logarithm together
NEAR = Fraction(1, 10 ** 6)         # a near miss
NOTHING = Fraction(1, SCALE)        # a share that weighs nothing, and so do a thousand of them


class Unclear(Exception):
    """A comparison that float32 could turn over: the line is left out."""


def reaches(have, whole, typed):
    """have / whole ≥ typed. Whole numbers and a fraction."""
    have, typed = have * typed.denominator, whole * typed.numerator
    missing = (typed - have) * SCALE
    if 2000 * typed < abs(missing) < GAP * typed:
        raise Unclear
    return missing <= 2000 * typed


def ranked(row):
    return sorted(row, key=lambda i: (-row[i], i))


def while_short(row, order, p):
    """The first ids of the order, as few as reach p together."""
    total, kept, above = sum(row.values()), {}, 0
    for i in order:
        if above and reaches(above, total, p):
            break
        kept[i] = row[i]
        above += row[i]
    return kept


def top_p(row, p):
    return while_short(row, ranked(row), p)


def typical_p(row, p):
    total = sum(row.values())
    surprise = {w: -(Decimal(w) / total).ln() for w in set(row.values())}
    expected = sum(n * w / Decimal(total) * surprise[w] for w, n in collections.Counter(row.values()).items())
    distance = {w: round(abs(s - expected), 50) for w, s in surprise.items()}
    for one, other in itertools.combinations(sorted(set(distance.values())), 2):
        if other - one < Decimal("2e-6"):
            raise Unclear
    return while_short(row, sorted(row, key=lambda i: (distance[row[i]], i)), p)


def min_p(row, p):
    most = max(row.values())
    return {i: w for i, w in row.items() if reaches(w, most, p)}


def xtc(row, probability, threshold):
    total = sum(row.values())
    verdict = {w: reaches(w, total, threshold) for w in set(row.values())}
    likely = [i for i in ranked(row) if verdict[row[i]]]
    assert probability == 1
    if threshold > Fraction(1, 2) or len(likely) < 2:
        return row
    dropped = set(likely[:-1])
    return {i: w for i, w in row.items() if i not in dropped}


def top_k(row, k):
    least = row[ranked(row)[int(k) - 1]]
    return {i: w for i, w in row.items() if w >= least}


def temperature(row, t):
    """A half squares each weight; two takes the root, of squares."""
    if t == Fraction(1, 2):
        return {i: w * w for i, w in row.items()}
    assert t == 2
    roots = {i: math.isqrt(w) for i, w in row.items()}
    assert all(roots[i] ** 2 == row[i] for i in row)
    return roots


def mirostat(row, tau, eta):
    """The first draw: what is no more surprising than 2·tau bits, a whole number."""
    total, bits = sum(row.values()), 2 * tau
    assert bits.denominator == 1
    return {i: w for i, w in row.items() if reaches(w, total, Fraction(1, 2 ** int(bits)))} or {ranked(row)[0]: 1}


STEPS = {f.__name__: f for f in (top_p, typical_p, min_p, xtc, top_k, temperature, mirostat)}


def top_n_sigma(logits, n):
    """Of logits as typed, not of shares."""
    mean = sum(logits) / len(logits)
    square = n * n * sum((z - mean) ** 2 for z in logits) / len(logits)
    return [i for i, z in enumerate(logits) if reaches(square.numerator, square.denominator, (max(logits) - z) ** 2)]


# ---- lines ----


def float32(value):
    return struct.unpack("f", struct.pack("f", float(value)))[0]


def runs(values):
    return [[value, sum(1 for _ in same)] for value, same in itertools.groupby(values)]


def id_runs(ids):
    groups = itertools.groupby(enumerate(sorted(ids)), key=lambda pair: pair[1] - pair[0])
    return [[members[0][1], len(members)] for members in (list(group) for _, group in groups)]


def as_typed(value):
    return {k: as_typed(v) for k, v in value.items()} if isinstance(value, dict) else float(value)


def line(*arguments, **keywords):
    """What clear_line makes; None where it is unclear."""
    try:
        return clear_line(*arguments, **keywords)
    except Unclear:
        return None


def clear_line(shares, *chain, shift=0):
    """shares: of ids 0, 1, …; chain: (name, number, or dict of numbers), as Fractions or decimal strings."""
    fractions = {s: Fraction(s) for s in set(shares)}
    whole = math.lcm(*(f.denominator for f in fractions.values()))
    weights = {s: int(f * whole) for s, f in fractions.items()}
    row = {i: weights[s] for i, s in enumerate(shares)}
    logits = {w: float32((Decimal(w) / whole).ln() + Decimal(shift)) for w in weights.values()}
    written, n_left, steps = [logits[row[i]] for i in range(len(row))], [len(row)], []
    for name, value in chain:
        numbers = {k: Fraction(v) for k, v in value.items()} if isinstance(value, dict) else Fraction(value)
        steps.append({name: as_typed(numbers)})
        row = STEPS[name](row, **numbers) if isinstance(numbers, dict) else STEPS[name](row, numbers)
        n_left.append(len(row))
    least = max(row.values()) * 2000 // SCALE
    weighty = [i for i, w in row.items() if w > least]
    return {"row": runs(written), "chain": steps, "n_left": n_left, "left": id_runs(weighty)}


def xtc_at(threshold):
    return "xtc", {"probability": 1, "threshold": threshold}


def lines_of_equals():
    hundredths = (1, 2, 4, 5, 10, 12, 15, 20, 25, 30, 40, 45, 50, 60, 70, 75, 80, 85, 90, 95, 98, 99)
    decimals = [Fraction(n, 100) for n in hundredths]
    for n in (2, 3, 4, 5, 8, 10, 20, 25, 40, 50, 100, 1000):
        equal = [Fraction(1, n)] * n
        for p in decimals:
            if (n * p).denominator == 1:
                for name in ("top_p", "typical_p"):
                    yield line(equal, (name, p))
                yield line(equal, ("top_p", p * (1 + NEAR)), shift=3)
                yield line(equal, ("top_p", p * (1 - NEAR)), shift=3)
        if n != 3:
            yield line(equal, xtc_at(Fraction(1, n)))
            yield line(equal, xtc_at(Fraction(1, n) * (1 + NEAR)))
        yield line(equal, ("min_p", 1))
    for n, shift in itertools.product((2, 4, 8, 16, 64), (0, "0.3", "1.7", "3.3", "7.1")):
        bits = n.bit_length() - 1
        yield line([Fraction(1, n)] * n, ("mirostat", {"tau": Fraction(bits, 2), "eta": "0.1"}), shift=shift)


def lines_of_shares(choose):
    for number in range(150):
        parts = choose.choice((10, 20, 100))
        cuts = sorted(choose.sample(range(1, parts), choose.randrange(1, min(8, parts - 1))))
        shares = [Fraction(b - a, parts) for a, b in zip([0, *cuts], [*cuts, parts])]
        p = Fraction(choose.randrange(1, parts), parts)
        yield line(shares, ("top_p", p))
        yield line(shares, ("typical_p", p))
        yield line(shares, xtc_at(choose.choice(shares)))
        yield line(shares, xtc_at(choose.choice(shares) * (1 + choose.choice((NEAR, -NEAR)))))
        ratio = choose.choice(shares) / max(shares)
        if (ratio * 10000).denominator == 1:
            yield line(shares, ("min_p", ratio))
            yield line(shares, ("min_p", ratio * (1 + NEAR)) if ratio < 1 else ("min_p", ratio * (1 - NEAR)))
        if min(shares) >= Fraction(1, 20):          # the temperature doubles what float32 is off
            yield line(shares, ("temperature", "0.5"), ("top_p", choose.choice(("0.5", "0.8", "0.9"))))


def lines_by_hand():
    halves = ["0.5", "0.25", "0.25"]
    yield line(["0.5", "0.3", "0.2"], ("top_p", "0.8"))
    yield line(["0.3", "0.3", "0.3", "0.1"], ("top_p", "0.9"))
    for order in sorted(set(itertools.permutations(halves))):       # all are as surprising as each other: the lower ids
        yield line(order, ("typical_p", "0.5"))
        yield line(order, ("typical_p", "0.25"))
        yield line(order, ("mirostat", {"tau": 1, "eta": "0.1"}), shift="2.7")
    for few in (["0.5"] + ["0.125"] * 4, ["0.05"] * 10 + ["0.5"], ["0.25"] * 2 + ["0.05"] * 10):
        yield line(few, ("typical_p", "0.5"))
        yield line(few, ("typical_p", "0.6"))
    ten = ["0.1"] * 10
    yield line(ten, ("top_p", "0.9"), ("top_p", "0.8"))     # 9 are left, and 7.2 of them
    yield line(ten, ("top_p", "0.8"), ("top_p", "0.75"), ("typical_p", "0.5"), xtc_at("0.5"))
    yield line(ten, ("top_p", "0.5"), xtc_at("0.2"))
    yield line(ten, ("typical_p", "0.5"), ("top_p", "0.8"), xtc_at("0.25"))
    yield line(["0.3", "0.1", "0.2", "0.4"], ("top_p", "0.7"), ("min_p", "0.75"), ("top_k", 2), xtc_at("0.4"))
    yield line(["0.16", "0.36", "0.04", "0.44"][:3] + ["0.04"] * 11, ("temperature", 2), ("top_p", "0.3125"))
    yield line(["0.64", "0.36"], ("temperature", 2), ("min_p", "0.75"))
    yield line(["0.4", "0.4", "0.2"], ("temperature", "0.5"), ("min_p", "0.25"), xtc_at("0.4"))
    tail = [NOTHING] * 1000
    for chain in (("top_p", "0.8"), ("min_p", 1), xtc_at("0.2")):
        yield line(["0.2"] * 5 + tail, chain)
        yield line(tail + ["0.2"] * 5, chain)
    as_wide_as_a_vocabulary = [Fraction(1, 50000)] * 50000
    for chain in (("top_p", "0.9"), ("typical_p", "0.9"), ("min_p", 1)):
        yield line(as_wide_as_a_vocabulary, chain)
    wide = [Fraction(1, 1000)] * 600 + ["0.02"] * 20        # more than are sorted at once
    for p in ("0.3", "0.4", "0.401", "0.5", "0.7", "0.999"):
        yield line(wide, ("top_p", p))
        yield line(wide, ("typical_p", p))
    yield line(wide, ("min_p", "0.05"))
    yield line(wide, xtc_at("0.001"))
    yield line(wide, xtc_at("0.02"))


def lines_of_sigmas(choose):
    """Two levels: with four times as many above, what is below lies 2.5 σ from the largest, wherever they are."""
    borders = ((1, 2), (4, "2.5"), (4, "2.4999"), (4, "2.5001"), (9, "3.3333"), (9, "3.3334"))
    for low, high, (n_high, n) in itertools.product(("0.1", "-0.3", "1.7", "-7.9"), ("0.3", "0.7", "3.1"), borders):
        for times in (1, 3):
            numbers = times * ([Fraction(high)] * n_high + [Fraction(low)])
            choose.shuffle(numbers)
            left = top_n_sigma(numbers, Fraction(n))
            yield {"row": runs(float32(z) for z in numbers), "chain": [{"top_n_sigma": float(n)}],
                   "n_left": [len(numbers), len(left)], "left": id_runs(left)}


def main():
    choose = random.Random(907)
    lines = itertools.chain(lines_of_equals(), lines_of_shares(choose), lines_by_hand(), lines_of_sigmas(choose))
    texts = dict.fromkeys(json.dumps(made) for made in lines if made)       # each once, in order
    with open(__file__.rsplit("/", 1)[0] + "/shares.jsonl", "w", encoding="ascii") as out:
        out.writelines(text + "\n" for text in texts)


if __name__ == "__main__":
    main()
