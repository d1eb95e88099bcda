"""modeld --replace, and what happens while the texts of the file before are still being written."""
import signal

import pytest

from conftest import Stack, wait_until
from kills.models import MADE_SHAPE

TEXT = ("hello", "--seed", "1", "--max-new-tokens", "300", "--ignore-eos")
TOLD = ' draining asked_by="an operator"'


class Replaced(Stack):
    """A text that stands still is being written by a modeld that another one has replaced."""

    def begin(self, models):
        self.files = [models(**{**MADE_SHAPE, "seed": seed}) for seed in (3, 4)]
        self.places = [f"ipc://{self.folder}/samplers{i}" for i in range(3)]
        self.tokenizerd = self.start("tokenizerd")
        self.samplerd = self.start("samplerd", *[word for place in self.places for word in ("--join", place)])
        self.old = self.replace(0, 0)
        self.wait_ready(3)
        self.undisturbed = self.text(*TEXT)
        self.writer = self.popen("generate", *TEXT)
        self.running(3)
        self.samplerd.send_signal(signal.SIGSTOP)
        self.new = self.replace(1, 1)
        wait_until(lambda: TOLD in self.log(self.old), what="an old modeld that drains")
        return self

    def replace(self, file, place):
        return self.start("modeld", "--model", self.files[file], "--name", "made", "--bind-samplers", self.places[place], "--replace")

    def is_whole(self):
        self.samplerd.send_signal(signal.SIGCONT)
        told, errors = self.writer.communicate(timeout=100)
        assert (self.writer.returncode, told) == (0, self.undisturbed), errors
        assert self.old.wait(timeout=60) == 0


@pytest.fixture
def replaced(models):
    with Replaced() as one:
        yield one.begin(models)


def test_back_to_the_file_before_while_its_texts_are_written(replaced):
    again = replaced.replace(0, 2)
    wait_until(lambda: TOLD in replaced.log(replaced.new), what="the new modeld that drains")
    replaced.is_whole()
    assert replaced.new.wait(timeout=60) == 0
    assert replaced.text(*TEXT) == replaced.undisturbed and again.poll() is None


def test_tokenizerd_is_killed_meanwhile(replaced):
    """Nobody else can end that text: the old one stays until it comes again."""
    replaced.kill(replaced.tokenizerd)
    wait_until(lambda: " left tokenizerd=" in replaced.log(replaced.old), what="a loss")
    replaced.tokenizerd = replaced.start("tokenizerd")
    replaced.is_whole()
    assert TOLD not in replaced.log(replaced.new) and replaced.text(*TEXT) != replaced.undisturbed
