"""Faults while texts are written, by seed: what a text must be whatever happens to those who write it.

A Round says all of it and follows from its name alone; a Trial runs it on daemons of its own and says what was wrong.
tests/e2e/faults/test_kill.py runs a few, soak.py (make soak) many.
"""
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in ("e2e", "fakes"):
    if str(TESTS / folder) not in sys.path:
        sys.path.insert(0, str(TESTS / folder))
