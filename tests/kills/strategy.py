"""Strategies that the next token depends on by more than the last row: by what was drawn before, or by a memory."""
import json

from fake_link import common_pb2

PENALTIES = [{"repetition_penalty": 1.3}, {"presence_penalty": 0.2}, {"frequency_penalty": 0.1}]
DRY = {"dry": {"multiplier": 1, "base": 1.75, "allowed_length": 2, "last_n": 64}}
XTC = {"xtc": {"probability": 0.5, "threshold": 0.1}}
MIROSTAT = {"mirostat": {"tau": 4, "eta": 0.2}}
ADAPTIVE = {"adaptive_p": {"target": 0.2, "decay": 0.9}}

STRATEGIES = {
    "default": [{"repetition_penalty": 1.1}, {"temperature": 0.8}, {"top_p": 0.9}],
    "mirostat": [{"temperature": 1.1}, MIROSTAT],
    "adaptive": [{"temperature": 1}, ADAPTIVE],
    "penalties": [*PENALTIES, {"temperature": 1.1}, {"top_k": 50}],
    "xtc": [{"temperature": 1.2}, XTC, {"min_p": 0.01}],
    "dry": [DRY, {"temperature": 0.9}, {"top_p": 0.95}],
    "dry-xtc-adaptive": [DRY, XTC, ADAPTIVE],
}
# What a tune begins and ends with: memories that stay, go, come, and are of the other rule.
TUNED = {
    "mirostat": [{"temperature": 1.8}, {"mirostat": {"tau": 7, "eta": 0.4}}],
    "adaptive": [{"temperature": 2}, {"adaptive_p": {"target": 0.05, "decay": 0.8}}],
    "plain": [{"temperature": 3}, {"top_k": 400}],
}
TUNABLE = ("default", "mirostat", "adaptive", "penalties")

FIELDS = {"mirostat": ("tau", "eta"), "adaptive_p": ("target", "decay")}     # in the order of the wire


def chain_json(chain):
    return json.dumps(chain)


def to_wire(chain):
    """A chain of steps without lists as a Strategy."""
    strategy = common_pb2.Strategy()
    for step in chain:
        (name, value), = step.items()
        numbers = [value[field] for field in FIELDS[name]] if isinstance(value, dict) else [value]
        strategy.steps.add(name=name, numbers=numbers)
    return strategy
