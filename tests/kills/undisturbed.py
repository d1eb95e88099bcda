"""The texts as they are when nothing goes wrong: each is written once."""
import array
import dataclasses
import os

from conftest import Stack
from fake_client import FakeClient
import text_pb2

from .strategy import STRATEGIES, TUNED, chain_json, to_wire


@dataclasses.dataclass(frozen=True)
class Written:
    ids: tuple
    text: str


def generate_arguments(text):
    """The command of a client that asks for a round.Text."""
    flags = ["--model", text.model, "--chain", chain_json(STRATEGIES[text.strategy]), "--seed", text.seed,
             "--max-new-tokens", text.n_tokens, "--ignore-eos"]
    return ["generate", text.prompt, *flags, *(["--no-kv-cache"] if text.no_cache else [])]


class Undisturbed:
    """`paths`: the models' files by name. Its own daemons, one modeld a model that was asked for."""

    def __init__(self, paths):
        self.paths = paths
        self.stack = None
        self.models = set()
        self.written = {}                   # Text → Written
        self.tuned = {}                     # (Text, strategy, step) → Written
        self.drawn = {}                     # Text → Copy
        self.client = None

    def serve(self, model):
        if not self.stack:
            self.stack = Stack()
            self.stack.start("tokenizerd")
        if model in self.models:
            return
        place = f"ipc://{self.stack.runtime}/{model}"
        self.stack.start("modeld", "--model", self.paths[model], "--name", model, "--bind-samplers", place)
        self.stack.start("samplerd", "--name", f"samplerd-{model}", "--join", place)
        self.models.add(model)
        self.stack.wait_ready(1 + 2 * len(self.models))

    def text(self, text):
        if text not in self.written:
            self.serve(text.model)
            lines = self.stack.lines(*generate_arguments(text))
            ids = tuple(line["id"] for line in lines if "id" in line)
            self.written[text] = Written(ids, lines[-1]["done"]["text"])
        return self.written[text]

    def tuned_text(self, text, strategy, step):
        """The same with a strategy of TUNED from this step on: resumed there, with the memory that it has there."""
        key = (text, strategy, step)
        if key not in self.tuned:
            begun = self.copy(text)
            rest = self.resume(text, begun, TUNED[strategy], step)
            ids = (*self.text(text).ids[:step], *rest.ids)
            shown = begun.text[:begun.n_shown_bytes[step - 1] if step else 0] + rest.text
            self.tuned[key] = Written(ids, shown.decode(errors="replace"))
        return self.tuned[key]

    # by hand, because the command shows no memory

    def copy(self, text):
        if text not in self.drawn:
            whole = self.text(text)
            message = text_pb2.TextRequest()
            prompt = text.prompt.encode()
            message.generate.segments.add(n_bytes=len(prompt), special=True)
            copy = self.ask(text, message, STRATEGIES[text.strategy], prompt)
            if (tuple(copy.ids), copy.text.decode(errors="replace")) != (whole.ids, whole.text):
                raise AssertionError(f"{text}: undisturbed twice, and not the same")
            self.drawn[text] = copy
        return self.drawn[text]

    def resume(self, text, begun, chain, step):
        message = text_pb2.TextRequest()
        body = message.generate
        body.n_prompt, body.fingerprint, body.change = len(begun.prompt), begun.fingerprint, 1
        body.state = begun.states[step - 1] if step else b""
        body.semantics = begun.semantics if step else ""
        return self.ask(text, message, chain, array.array("i", [*begun.prompt, *begun.ids[:step]]).tobytes())

    def ask(self, text, message, chain, prompt):
        if not self.client:
            self.client = FakeClient(f"ipc://{self.stack.runtime}/clients")
            self.client.wait_joined()
        body = message.generate
        body.request, body.attempt, body.model, body.seed = os.urandom(16), 1, text.model, text.seed
        body.max_new_tokens, body.ignore_eos, body.no_cache = text.n_tokens, True, text.no_cache
        body.strategy.CopyFrom(to_wire(chain))
        self.client.send(message, [prompt])
        return Copy(self.client)

    def close(self):
        if self.client:
            self.client.close()
        if self.stack:
            self.stack.close()


class Copy:
    """What a client keeps of a text, with which it could go on anywhere: one that has come to its end."""

    def __init__(self, client):
        self.ids, self.states, self.semantics = [], [], ""
        self.text = b""
        self.n_shown_bytes = []             # of the text, when a token had come: the rest was held back
        while True:
            kind, message, raw = client.answers.get(timeout=120)
            if kind == "started":
                self.prompt, self.fingerprint = array.array("i", raw[0]), message.started.fingerprint
            elif kind == "chunk":
                self.text += message.chunk.text
                for drawn in message.chunk.drawn:
                    self.ids.append(drawn.id)
                    self.states.append(drawn.state)
                    self.n_shown_bytes.append(len(self.text))
                if len(message.chunk.drawn) > 1:
                    raise AssertionError("a chunk of several tokens: which showed what is not known")
                self.semantics = message.chunk.semantics or self.semantics
            elif kind == "done":
                if message.done.reason != text_pb2.FINISH_LENGTH:
                    raise AssertionError(f"an undisturbed text ended with {message.done}")
                return
