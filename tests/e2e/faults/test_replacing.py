"""modeld --replace, and what happens while the texts of the file before are still being written."""
import json
import os
import random
import re
import signal
import time

import pytest

from asking_client import AskingClient
from conftest import Stack, wait_until
from kills.models import MADE_SHAPE

TEXT = ("hello", "--seed", "1", "--max-new-tokens", "300", "--ignore-eos")
TOLD = ' draining asked_by="whoever replaces it"'
SEED, N_ROUNDS = 1, 4
DRAIN_S = 0.1           # whoever is replaced takes longer than that, for nobody else can end its texts


class Heard(AskingClient):
    """A text of its own, and all that is said of it."""

    def begins(self):
        self.begun(n_tokens=100, wait_ms=60000)

    def text(self):
        """Its bytes; whatever comes after Done is heard, too."""
        said, n_done = b"", 0
        while not n_done:
            body, message, _ = self.answers.get(timeout=100)
            if body == "chunk":
                said += message.chunk.text
            elif body == "done":
                assert not message.done.HasField("error"), message.done
                n_done += 1
        self.ask("list")
        while (body := self.answers.get(timeout=60)[0]) != "listed":
            n_done += body == "done"
        assert n_done == 1
        return said


class Replaced(Stack):
    """Two texts that stand still, of the old file."""

    def begin(self, models, make_fake):
        self.files = [models(**{**MADE_SHAPE, "seed": seed}) for seed in (3, 4)]
        self.places = [f"ipc://{self.folder}/samplers{i}" for i in range(3)]
        self.tokenizerd = self.start("tokenizerd")
        self.samplerd = self.start("samplerd", *[word for place in self.places for word in ("--join", place)])
        self.old = self.replace(0, 0)
        self.wait_ready(3)
        self.start("samplerd", *[word for place in self.places[1:] for word in ("--join", place)])    # of whatever comes
        self.undisturbed = self.text(*TEXT)
        self.heard = make_fake(Heard, f"ipc://{self.runtime}/clients")
        self.heard.begins()
        self.undisturbed_heard = self.heard.text()
        self.writer = self.popen("generate", *TEXT)
        self.begun = os.read(self.writer.stdout.fileno(), 4096)
        self.samplerd.send_signal(signal.SIGSTOP)
        self.heard.begins()
        return self

    def is_replaced(self):
        self.new = self.replace(1, 1)
        wait_until(lambda: TOLD in self.log(self.old), what="an old modeld that drains")
        time.sleep(2 * DRAIN_S)
        return self

    def modeld(self, file, place, *flags):
        return self.start("modeld", "--model", self.files[file], "--name", "made", "--bind-samplers", self.places[place], *flags)

    def replace(self, file, place):
        return self.modeld(file, place, "--replace", "--drain", str(DRAIN_S))

    def is_whole(self):
        self.samplerd.send_signal(signal.SIGCONT)
        told, errors = self.writer.communicate(timeout=100)
        assert (self.writer.returncode, self.begun + told) == (0, self.undisturbed), errors

    def both_are_whole(self):
        self.is_whole()
        assert self.heard.text() == self.undisturbed_heard

    def old_ends(self):
        assert self.old.wait(timeout=60) == 0


@pytest.fixture
def written(models, fakes):
    with Replaced() as one:
        yield one.begin(models, fakes)


@pytest.fixture
def replaced(written):
    return written.is_replaced()


def test_back_to_the_file_before_while_its_texts_are_written(replaced):
    again = replaced.replace(0, 2)
    wait_until(lambda: TOLD in replaced.log(replaced.new), what="the new modeld that drains")
    replaced.both_are_whole()
    replaced.old_ends()
    assert replaced.new.wait(timeout=60) == 0
    assert replaced.text(*TEXT) == replaced.undisturbed and again.poll() is None


def test_tokenizerd_is_killed_meanwhile(replaced):
    """Nobody else can end that text: the old one stays until it comes again."""
    replaced.kill(replaced.tokenizerd)
    wait_until(lambda: " left tokenizerd=" in replaced.log(replaced.old), what="a loss")
    replaced.tokenizerd = replaced.start("tokenizerd")
    replaced.is_whole()
    replaced.old_ends()
    assert TOLD not in replaced.log(replaced.new) and replaced.text(*TEXT) != replaced.undisturbed


def test_the_new_one_is_killed_meanwhile(replaced):
    replaced.kill(replaced.new)
    replaced.both_are_whole()
    replaced.old_ends()
    replaced.replace(1, 1)
    assert replaced.text(*TEXT, "--wait", "60") != replaced.undisturbed


def test_the_old_one_is_killed_meanwhile(replaced):
    """Its texts wait for its file: whoever serves that again ends them, and leaves."""
    replaced.kill(replaced.old)
    replaced.old = replaced.modeld(0, 0)
    replaced.both_are_whole()
    replaced.old_ends()
    assert TOLD in replaced.log(replaced.old) and " drained rest=none" in replaced.log(replaced.old)
    assert replaced.text(*TEXT) != replaced.undisturbed and replaced.new.poll() is None


def test_two_files_of_a_name_are_told_apart(replaced):
    """In status, and to whoever waits in vain for the old one."""
    shown = json.loads(replaced.run("status", "--json").stdout)["models"]
    assert [(model["name"], model["draining"]) for model in shown] == [("made", False), ("made", True)]
    assert re.findall(r"^made \((.*?)\)", replaced.run("status").stdout.decode(), re.M) == ["default", "draining"]
    replaced.kill(replaced.old)
    replaced.samplerd.send_signal(signal.SIGCONT)
    errors = replaced.writer.communicate(timeout=100)[1].decode()
    began = f"with which this began (fingerprint {shown[1]['fingerprint']}), "
    assert f"waiting for a modeld of the file {began}for up to 10 s; 'made' is another file now" in errors
    assert f"'made' is another file now than the one {began}and no modeld of that one has taken it within 10 s; ask anew" in errors


def test_the_new_one_is_killed_while_it_loads(written):
    """At any moment before or after it has joined."""
    dice = random.Random(SEED)
    for _ in range(N_ROUNDS):
        new = written.replace(1, 1)
        time.sleep(dice.random() * 0.3)
        written.kill(new)
    written.both_are_whole()
    if TOLD in written.log(written.old):
        written.old_ends()
    else:
        assert written.text(*TEXT) == written.undisturbed


def test_tokenizerd_is_killed_while_the_new_one_loads(written):
    dice = random.Random(SEED)
    new = written.replace(1, 1)
    for _ in range(N_ROUNDS):
        time.sleep(dice.random() * 0.3)
        written.kill(written.tokenizerd)
        written.tokenizerd = written.start("tokenizerd")
    written.is_whole()
    written.old_ends()
    assert written.text(*TEXT) != written.undisturbed and new.poll() is None
