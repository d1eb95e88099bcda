"""What a round came to."""
import collections
import dataclasses

from .fault import KINDS

# what can be wrong: of a text, and "end" of a command, a daemon, or what is left of them
SORTS = ("text", "done", "steps", "end")


@dataclasses.dataclass
class Outcome:
    round: object
    counted: bool = False               # each fault fell between the first and the last token (or in the prefill)
    wrong: list = dataclasses.field(default_factory=list)       # (one of SORTS, sentence)
    pauses_s: list = dataclasses.field(default_factory=list)    # from a fault to the next token of text 0
    logs: str = ""                      # of the daemons, where something was wrong

    def add(self, sort, sentence):
        self.wrong.append((sort, sentence))

    def report(self):
        lines = [str(self.round), *(f"  {sort}: {sentence}" for sort, sentence in self.wrong)]
        again = [f"again: make soak SEED={self.round.name}"] if self.round.kind in KINDS else []
        return "\n".join([*lines, *again, self.logs])


def check_text(outcome, which, writing, expected):
    """One text against what it is when nothing goes wrong."""
    def wrong(sort, sentence):
        outcome.add(sort, f"text {which} ({outcome.round.texts[which].strategy}): {sentence}")
    if writing.process.returncode != 0 or writing.odd:
        wrong("end", f"exit code {writing.process.returncode}, {writing.errors.decode(errors='replace').strip()!r}"
                     + (f", and lines like {writing.odd[0][:100]!r}" if writing.odd else ""))
    steps = [token["step"] for token in writing.tokens]
    if steps != list(range(len(expected.ids))):
        times = collections.Counter(steps)
        wrong("steps", f"missing {[s for s in range(len(expected.ids)) if s not in times][:8]}, "
                       f"doubled {[s for s, n in times.items() if n > 1][:8]}, {len(steps)} in all")
    if len(writing.dones) != 1:
        wrong("done", f"{len(writing.dones)} Done")
    for done in writing.dones[:1]:
        if (done["finish_reason"], done["completion_tokens"]) != ("length", len(expected.ids)):
            wrong("done", f"it says {done['finish_reason']} after {done['completion_tokens']} tokens")
        if done["text"] != expected.text:
            wrong("text", "the whole text in its Done differs")
    if tuple(writing.ids) != expected.ids:
        at = first_difference(writing.ids, expected.ids)
        wrong("text", f"the ids differ from step {at} on: {writing.ids[at:at + 4]} for {list(expected.ids[at:at + 4])}")
    if writing.text != expected.text:
        at = first_difference(writing.text, expected.text)
        wrong("text", f"it differs from character {at} on: {writing.text[at:at + 20]!r} for {expected.text[at:at + 20]!r}")


def first_difference(a, b):
    """The first index where two sequences differ; of equal ones, their length."""
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
