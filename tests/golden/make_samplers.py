#!/usr/bin/python3
"""Makes samplers.jsonl: chains of the steps beyond the chapter's, worked out here from their rules, in plain Python.

Rules: typical p, top-n-sigma, XTC, dynatemp, DRY, mirostat v2, adaptive-p, as llama.cpp has them. The
lines with "source" are the value vectors of llama.cpp's tests/test-sampling.cpp, their probabilities as they stand
there (hence a tolerance of 1e-5); the others have 12 digits. A line with "states" is a run of several draws: memory is
carried from one to the next, and `ids` are given, not drawn: the case says what each draw sees.
"""
import json
import math
import random


TOLERANCE = 1.8e-7      # a share that was typed is reached within this of it, relative: SAMPLER.md


def softmax(logits):
    top = max(logits)
    weights = [math.exp(z - top) for z in logits]
    total = math.fsum(weights)
    return [w / total for w in weights]


def keep(logits, ids):
    return [z if i in ids else -math.inf for i, z in enumerate(logits)]


def entropy(probs):
    return -math.fsum(p * math.log(p) for p in probs if p > 0)


def typical_p(logits, p):
    probs = softmax(logits)
    expected = entropy(probs)
    order = sorted((i for i, q in enumerate(probs) if q > 0), key=lambda i: (abs(-math.log(probs[i]) - expected), i))
    chosen, total = set(), 0
    for i in order:
        chosen.add(i)
        total += probs[i]
        if total >= p - max(TOLERANCE * min(p, 1 - p), 1e-9):
            break
    return keep(logits, chosen)


def top_n_sigma(logits, n):
    finite = [z for z in logits if z > -math.inf]
    mean = math.fsum(finite) / len(finite)
    sigma = math.sqrt(math.fsum((z - mean) ** 2 for z in finite) / len(finite))
    return [z if z >= max(finite) - n * sigma * (1 + TOLERANCE) else -math.inf for z in logits]


def xtc(logits, probability, threshold):
    """For a probability of 1: it acts."""
    probs = softmax(logits)
    likely = sorted((i for i, q in enumerate(probs) if q >= threshold - max(TOLERANCE * threshold, 1e-9)), key=lambda i: (-probs[i], i))
    if threshold > 0.5 or probability == 0 or len(likely) < 2:
        return logits
    return [-math.inf if i in likely[:-1] else z for i, z in enumerate(logits)]


def dynatemp(logits, low, high, exponent):
    n = sum(z > -math.inf for z in logits)
    if n < 2:
        return logits
    temperature = low + (high - low) * (entropy(softmax(logits)) / math.log(n)) ** exponent
    return [z / temperature for z in logits]


def dry(logits, history, multiplier, base, allowed_length, last_n, breakers=()):
    newest = history[::-1] if last_n < 0 else history[::-1][:last_n]
    n, most = len(newest), len(newest)
    if multiplier == 0 or n <= allowed_length:
        return logits
    for i in range(n):
        tails = [len(b) - 1 for b in breakers if len(b) - 1 <= i and all(newest[i - k] == b[k] for k in range(len(b)))]
        if tails:
            most = i - max(tails)
            break
    if most < allowed_length:
        return logits
    best = {}
    for k in range(1, n):
        q = 0
        while q + k < n and newest[q] == newest[q + k]:
            q += 1
        q = min(q, most)
        if q >= allowed_length:
            best[newest[k - 1]] = max(best.get(newest[k - 1], 0), q)
    singles = {b[0] for b in breakers if len(b) == 1}
    return [z - multiplier * base ** (best[i] - allowed_length) if i in best and i not in singles else z
            for i, z in enumerate(logits)]


def mirostat(logits, mu):
    probs = softmax(logits)
    order = sorted(range(len(logits)), key=lambda i: (-probs[i], i))
    chosen = {i for i in order if probs[i] > 0 and probs[i] >= 2 ** -mu * (1 - TOLERANCE)} | {order[0]}
    return softmax(keep(logits, chosen))


def mirostat_run(rows, ids, tau, eta):
    mu, seen = 2 * tau, []
    for logits, drawn in zip(rows, ids):
        probs = mirostat(logits, mu)
        drawn = drawn if probs[drawn] > 0 else max(range(len(probs)), key=lambda i: probs[i])
        seen.append({"mu": mu, "probs": probs, "id": drawn})
        mu -= eta * (-math.log2(probs[drawn]) - tau)
    return seen


def adaptive_run(rows, ids, target, decay):
    decay = min(decay, 0.99)
    weighted, total, seen = target / (1 - decay), 1 / (1 - decay), []
    for logits, drawn in zip(rows, ids):
        probs = softmax(logits)
        wanted = min(max(2 * target - weighted / total, 0), 1)
        zs = [abs(q - wanted) / 0.3 for q in probs]
        after = softmax([5 - 10 * z * z / (1 + z) for z in zs])
        seen.append({"weighted": weighted, "total": total, "probs": after, "id": drawn})
        weighted, total = probs[drawn] + decay * weighted, 1 + decay * total
    return seen


def rounded(values):
    return [float(f"{v:.12g}") for v in values]


def lines_from_llama_cpp():
    """Probabilities go in, as logarithms; what is left is renormalized."""
    ten, five = [0.1, 0.2, 0.3, 0.4], [0.2] * 5
    xs, typ = [0.4, 0.3, 0.2, 0.1], [0.97, 0.01, 0.01, 0.01]
    def penalties(r, f, s):
        return [{"repetition_penalty": r}, {"frequency_penalty": f}, {"presence_penalty": s}]
    def dry_of(m, b, a, n, breakers):
        return [{"dry": {"multiplier": m, "base": b, "allowed_length": a, "last_n": n, "breakers": breakers}}]
    nine, seven = 0.9, 0.7
    cases = [
        (ten, [], [{"top_k": 1}], [0, 0, 0, 1]), (ten, [], [{"top_k": 3}], [0, 0.22222, 0.33333, 0.44444]),
        (ten, [], [{"top_k": 4}], ten), (ten, [], [{"top_k": 0}], ten),
        (ten, [], [{"top_p": 0.7}], [0, 0, 0.428571, 0.571429]),
        (ten, [], [{"top_p": 0.8}], [0, 0.22222, 0.33333, 0.44444]), (ten, [], [{"top_p": 1}], ten),
        (ten, [], [{"min_p": 0}], ten), (ten, [], [{"min_p": 0.24}], ten),
        (ten, [], [{"min_p": 0.26}], [0, 0.2 / nine, 0.3 / nine, 0.4 / nine]),
        (ten, [], [{"min_p": 0.49}], [0, 0.2 / nine, 0.3 / nine, 0.4 / nine]),
        (ten, [], [{"min_p": 0.51}], [0, 0, 0.3 / seven, 0.4 / seven]),
        (ten, [], [{"min_p": 0.74}], [0, 0, 0.3 / seven, 0.4 / seven]),
        (ten, [], [{"min_p": 0.76}], [0, 0, 0, 1]), (ten, [], [{"min_p": 1}], [0, 0, 0, 1]),
        (xs, [], [{"xtc": {"probability": 1, "threshold": 0.09}}], [0, 0, 0, 1]),
        (xs, [], [{"xtc": {"probability": 1, "threshold": 0.19}}], [0, 0, 0.2 / 0.3, 0.1 / 0.3]),
        (xs, [], [{"xtc": {"probability": 1, "threshold": 0.29}}], [0, 0.3 / 0.6, 0.2 / 0.6, 0.1 / 0.6]),
        (xs, [], [{"xtc": {"probability": 1, "threshold": 0.39}}], xs),
        (typ, [], [{"typical_p": 0.5}], [1, 0, 0, 0]),
        ([0.4, 0.2, 0.2, 0.2], [], [{"typical_p": 0.5}], [0, 1 / 3, 1 / 3, 1 / 3]),
        (five, [0], penalties(50, 0, 0), [0, 0.25, 0.25, 0.25, 0.25]),
        (five, [0, 1, 2], penalties(50, 0, 0), [0, 0, 0, 0.5, 0.5]),
        (five, [0, 1, 2, 0, 0], penalties(50, 0, 0), [0, 0, 0, 0.5, 0.5]),
        (five, [0], penalties(1, 5, 5), [0.000011, 0.249997, 0.249997, 0.249997, 0.249997]),
        (five, [0, 1, 2], penalties(1, 5, 5), [0.000023, 0.000023, 0.000023, 0.499966, 0.499966]),
        (five, [0, 1, 2, 0, 0], penalties(1, 5, 5), [0, 0.000023, 0.000023, 0.499977, 0.499977]),
        ([0.25] * 4, [0, 1], dry_of(1, 1.1, 2, 4, []), [0.25] * 4),
        ([0.25] * 4, [0, 1, 2, 0, 1], dry_of(1, 1.1, 2, 5, []), [0.296923, 0.296923, 0.109232, 0.296923]),
        (five, [0, 1, 3, 4, 0, 1], dry_of(1, 1.1, 2, 6, [[3]]), five),
        (five, [0, 1, 2, 0, 1], dry_of(2, 1.1, 2, 5, []), [0.241818, 0.241818, 0.032727, 0.241818, 0.241818]),
        (five, [0, 1, 2, 3, 4, 0, 1], dry_of(1, 1.1, 4, 7, []), five),
        (ten, [], [{"top_n_sigma": 1}], [0, 0, 0.428571, 0.571429]), (ten, [], [{"top_n_sigma": 3}], ten),
    ]
    for probs, history, chain, expected in cases:
        yield {"source": "test-sampling.cpp", "logits": rounded(math.log(p) for p in probs), "history": history,
               "chain": chain, "probs": rounded(expected)}


STEPS = {"typical_p": typical_p, "top_n_sigma": top_n_sigma, "xtc": xtc, "dynatemp": dynatemp}


def run(logits, history, chain):
    for step in chain:
        (name, value), = step.items()
        if name == "dry":
            logits = dry(logits, history, **value)
        elif isinstance(value, dict):
            logits = STEPS[name](logits, **value)
        else:
            logits = STEPS[name](logits, value)
    return softmax(logits)


def random_lines(choose):
    for number in range(60):
        n = choose.choice((3, 8, 40))
        logits = [round(choose.gauss(0, 3), 3) for _ in range(n)]
        history = [choose.randrange(min(n, 3)) for _ in range(choose.randrange(30))]
        low = choose.uniform(0.2, 1)
        breakers = [[choose.randrange(3) for _ in range(choose.randrange(1, 3))] for _ in range(choose.randrange(3))]
        choices = [
            {"typical_p": round(choose.uniform(0.05, 0.99), 3)}, {"top_n_sigma": round(choose.uniform(0.3, 3), 3)},
            {"xtc": {"probability": 1, "threshold": round(choose.uniform(0, 0.6), 3)}},
            {"dynatemp": {"low": round(low, 3), "high": round(low + choose.random() * 2, 3),
                          "exponent": round(choose.uniform(0, 2), 3)}},
            {"dry": {"multiplier": round(choose.uniform(0, 2), 3), "base": round(choose.uniform(1, 2), 3),
                     "allowed_length": choose.randrange(4), "last_n": choose.choice((-1, 0, 5, 64)),
                     "breakers": breakers}},
        ]
        chain = choose.sample(choices, choose.randrange(1, 4))
        yield {"logits": logits, "history": history, "chain": chain, "probs": rounded(run(logits, history, chain))}


def memory_lines(choose):
    for name, runner, values in (("mirostat", mirostat_run, {"tau": 2.0, "eta": 0.3}),
                                 ("mirostat", mirostat_run, {"tau": 0.4, "eta": 1.0}),
                                 ("adaptive_p", adaptive_run, {"target": 0.3, "decay": 0.9}),
                                 ("adaptive_p", adaptive_run, {"target": 0.05, "decay": 1.0})):
        rows = [[round(choose.gauss(0, 2), 3) for _ in range(12)] for _ in range(8)]
        ids = [choose.randrange(12) for _ in rows]
        seen = runner(rows, ids, **values)
        yield {"chain": [{name: values}], "rows": rows, "states": [
            {key: rounded(value) if key == "probs" else value if key == "id" else float(f"{value:.15g}")
             for key, value in one.items()} for one in seen]}


def main():
    choose = random.Random(5)
    for line in [*lines_from_llama_cpp(), *random_lines(choose), *memory_lines(choose)]:
        print(json.dumps(line))


if __name__ == "__main__":
    main()
