"""A tokenizerd that reads late: its texts rest until it has caught up, and are whole then. modeld does not cut it."""
import signal
import time

import pytest

from conftest import wait_until
from tables import PATIENT, TinyStack

TEXT = ("Once upon a time", "--seed", "3", "--temperature", "1.5", "--ignore-eos", "--max-new-tokens", "8000")
STILL_S = 0.5


class PatientStack(TinyStack):
    """In which tokenizerd, too, may be silent for long."""

    def start_tokenizerd(self, *arguments):
        return super().start_tokenizerd(*PATIENT, *arguments)


def n_passes(stack):
    return stack.log(stack.modeld).count(" pass ")


def rests(stack):
    before = n_passes(stack)
    time.sleep(STILL_S)
    return n_passes(stack) == before


@pytest.fixture
def patient(models):
    with PatientStack(models(type="Q8_0", seed=3, context=100000)) as one:
        yield one


def test_texts_rest_while_their_tokenizerd_does_not_read(patient):
    ask = (*TEXT, "--model", patient.model()["name"])   # which one is the default is not known so soon
    expected = patient.text(*ask)
    client = patient.popen("generate", *ask)
    before = n_passes(patient)
    wait_until(lambda: n_passes(patient) > before + 100, what="a text under way")
    patient.tokenizerd.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: rests(patient), what="a text that rests")
        assert client.poll() is None
    finally:
        patient.tokenizerd.send_signal(signal.SIGCONT)
    written, _ = client.communicate(timeout=60)
    assert written == expected
    assert " left tokenizerd=" not in patient.log(patient.modeld)
    assert "modeld_left" not in patient.log(patient.tokenizerd)
