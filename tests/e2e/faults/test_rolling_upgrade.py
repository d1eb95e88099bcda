"""All daemons are replaced, one after the other, by builds of the next version of the protocol (make next), while fifty clients
write one text after the other: none of them is told an error, and no text has another byte."""
import json
import signal
import threading

import pytest

from conftest import Stack, wait_until
from kills.mixed_stack import NEXT

N_CLIENTS = 50
SHAPE = {"type": "Q8_0", "seed": 3, "context": 2048, "vocab": 600, "layers": 4, "dim": 256, "heads": 4, "kv-heads": 2, "ffn": 512}
WRITE = ("--max-new-tokens", 24, "--ignore-eos")
HARMLESS = "trivium: waiting for "


class Writer(threading.Thread):
    """A client: text after text, each with a seed of its own, until it is told that it is enough."""

    def __init__(self, stack, number, endpoints, enough):
        super().__init__()
        self.stack, self.number, self.enough = stack, number, enough
        self.flags = [word for one in endpoints for word in ("--endpoint", one)]
        self.texts = {}             # seed → text
        self.wrong = []

    def run(self):
        while not self.wrong and (not self.enough.is_set() or len(self.texts) < 2):
            seed = self.number * 1000 + len(self.texts)
            done = self.stack.run("generate", "hello", "--seed", seed, *WRITE, "--wait", 100, *self.flags)
            said = [line for line in done.stderr.decode().splitlines() if not line.startswith(HARMLESS)]
            if done.returncode != 0 or said:
                self.wrong.append((seed, done.returncode, said))
            self.texts[seed] = done.stdout.decode()


class Written:
    """Fifty of them. A context: all have ended when it is left."""

    def __init__(self, stack, endpoints=()):
        self.enough = threading.Event()
        self.writers = [Writer(stack, number, endpoints, self.enough) for number in range(N_CLIENTS)]

    def __enter__(self):
        for writer in self.writers:
            writer.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        for writer in self.writers:
            writer.join()

    def wait_more(self):
        """Until some have ended that were begun after this was asked."""
        before = sum(len(writer.texts) for writer in self.writers) + N_CLIENTS
        wait_until(lambda: self.wrong() or sum(len(writer.texts) for writer in self.writers) > before, 120, "more texts")

    def wrong(self):
        return [wrong for writer in self.writers for wrong in writer.wrong]

    def texts(self):
        return {seed: text for writer in self.writers for seed, text in writer.texts.items()}


def undisturbed(model, seeds):
    with Stack() as other:
        other.start_all(model)
        lines = "".join(json.dumps({"prompt": "hello", "seed": seed}) + "\n" for seed in seeds)
        done = other.run("generate", "--input", "-", *WRITE, input=lines.encode())
        assert done.returncode == 0, done.stderr
        return {seed: json.loads(line)["text"] for seed, line in zip(seeds, done.stdout.splitlines())}


def hold(written, model):
    assert not written.wrong(), written.wrong()
    texts = written.texts()
    expected = undisturbed(model, sorted(texts))
    assert {seed: text.removesuffix("\n") for seed, text in texts.items()} == expected


def ends(stack, process):
    """In order, by itself."""
    assert process.wait(timeout=100) == 0, stack.log(process)
    assert " drained rest=none" in stack.log(process), stack.log(process)


@pytest.fixture
def model(models):
    return models(**SHAPE)


def test_two_of_each_are_replaced_one_after_the_other(stack, model):
    at = {name: [f"ipc://{stack.folder}/{name}{i}" for i in range(4)] for name in ("clients", "models", "samplers")}
    stack.environment["TRIVIUM_ENDPOINT"] = at["clients"][0]

    def joins(name, n):
        return [word for one in at[name][:n] for word in ("--join", one)]

    def tokenizerd(i, build=None):
        return stack.start("tokenizerd", "--name", f"tokenizerd{i}", "--bind-clients", at["clients"][i], "--bind-models",
                           at["models"][i], program=build and build / "tokenizerd")

    def modeld(i, build=None):
        return stack.start("modeld", "--model", model, "--name", "made", *joins("models", 2), "--bind-samplers",
                           at["samplers"][i], program=build and build / "modeld")

    def samplerd(i, build=None):
        return stack.start("samplerd", "--name", f"samplerd{i}", *joins("samplers", 4), program=build and build / "samplerd")

    old = {make: [make(0), make(1)] for make in (tokenizerd, modeld, samplerd)}
    stack.wait_ready(5)             # one tokenizerd shows itself, both modelds and both samplerds
    with Written(stack, at["clients"][:2]) as written:
        written.wait_more()
        for i, process in enumerate(old[samplerd]):         # start the new one, drain the old one
            samplerd(2 + i, NEXT)
            stack.wait_ready(6)
            drained = stack.run("drain", f"samplerd{i}")
            assert drained.returncode == 0, drained.stderr
            ends(stack, process)
            written.wait_more()
        for i, process in enumerate(old[modeld]):
            modeld(2 + i, NEXT)
            stack.wait_ready(6)
            drained = stack.run("drain", "made", "--pid", process.pid)
            assert drained.returncode == 0, drained.stderr
            ends(stack, process)
            written.wait_more()
        for i, process in enumerate(old[tokenizerd]):       # drain the old one, and the new one takes its place
            process.send_signal(signal.SIGTERM)
            ends(stack, process)
            tokenizerd(i, NEXT)
            written.wait_more()
    hold(written, model)


def test_one_of_each_is_replaced_at_the_same_place(stack, model):
    """Clients wait meanwhile."""
    arguments = {"tokenizerd": (), "modeld": ("--model", model, "--name", "made"), "samplerd": ()}
    old = {role: stack.start(role, *arguments[role]) for role in arguments}
    stack.wait_ready()
    with Written(stack) as written:
        for role, process in old.items():
            written.wait_more()
            process.send_signal(signal.SIGTERM)
            ends(stack, process)
            stack.start(role, *arguments[role], program=NEXT / role)
        written.wait_more()
    hold(written, model)
