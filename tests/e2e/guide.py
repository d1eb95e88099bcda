"""The guide's console blocks as commands with what they print; `python3 tests/e2e/guide.py` records them anew.

A block is a list of commands ("$ …", a backslash at the end goes on) with their output below. What is typed into a
chat are its "You: " lines. In a block of ```console varies, figures and steps differ from run to run; one of
```console screen is what a terminal showed at one moment, while the command ran. What stands in these two is recorded
anew only with `--measure`.
"""
import dataclasses
import os
import re
import subprocess
import sys

from conftest import BUILD, ROOT, TIMEOUT_S, Stack
from terminal import Terminal

GUIDE = ROOT / "client" / "GUIDE.md"
FENCE = re.compile(r"^```console( varies| screen)?\n(.*?)^```$", re.S | re.M)
SHORTER = [("bench kv-cache --svg", "bench kv-cache --tokens 4 --prompts 2,50 --svg"),      # the same, in seconds
           ("trivium up", "trivium up --wait 60"),      # the same, on a busy machine
           ("sleep 1;", "until [ -s story.txt ]; do sleep 0.1; done;")]
DRAWN = "\x1b[?7h"              # after lines that are drawn in place


@dataclasses.dataclass
class Command:
    shown: str                  # as it stands in the guide
    output: str
    kind: str                   # "", "varies" or "screen"

    @property
    def line(self):
        return self.shown.replace("\\\n", "")

    @property
    def is_text(self):
        """Its lines are as long as the model wrote them, or as a strategy is."""
        return self.line.startswith(("trivium generate", "trivium tune", "echo", "printf"))

    @property
    def is_chat(self):
        return self.line.startswith("trivium chat") and "|" not in self.line


def commands_of(block, kind):
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Command(line[2:].rstrip("\n"), "", kind))
        elif found[-1].shown.endswith("\\"):
            found[-1].shown += "\n" + line.rstrip("\n")
        else:
            found[-1].output += line
    return found


def read():
    text = GUIDE.read_text()
    return text, [(match, commands_of(match[2], (match[1] or "").strip())) for match in FENCE.finditer(text)]


class Reader:
    """Somebody who follows the guide: both models are up, `trivium` is found, in a folder of their own."""

    def __init__(self, real_model):
        self.stack = Stack()
        self.environment = dict(self.stack.environment, MODEL=str(real_model), LANG="C.UTF-8",
                                PATH=f"{BUILD}:{os.environ['PATH']}")

    def run(self, command, shorter=()):
        line = command.line
        for long, short in shorter:
            line = line.replace(long, short)
        if command.is_chat:
            return 0, self.chat(command)
        if command.kind == "screen":
            return 0, self.screen(line)
        done = subprocess.run(["bash", "-c", line], env=self.environment, cwd=self.stack.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=10 * TIMEOUT_S)
        return done.returncode, (done.stderr if done.returncode else done.stdout).decode()

    def terminal(self, line, **keywords):
        return Terminal(self.stack, "-c", line, program="bash", environment=self.environment, folder=self.stack.folder,
                        **keywords)

    def screen(self, line):
        """What a terminal of 24 lines shows once it was drawn some times."""
        terminal = self.terminal(line, n_rows=24)
        for _ in range(8):
            terminal.wait_for(DRAWN)
        while not terminal.raw.endswith(DRAWN):         # not in the middle of drawing
            terminal.wait_for(DRAWN)
        shown = terminal.lines()
        terminal.kill()
        return "\n".join(shown) + "\n"

    def chat(self, command):
        """Type what the block says was typed, each line when it is asked for; what the screen shows then."""
        terminal = self.terminal(command.line)
        for said in re.findall(r"^You: (.*)$", command.output, re.M):
            terminal.wait_for("You: ")
            terminal.type(said + "\r")
        terminal.end()
        return "\n".join(terminal.lines()) + "\n"

    def close(self):
        subprocess.run([BUILD / "trivium", "down"], env=self.environment, capture_output=True, timeout=30)
        self.stack.close()


def record(real_model, measure):
    text, blocks = read()
    reader = Reader(real_model)
    at, out = 0, []
    try:
        for match, commands in blocks:
            out.append(text[at:match.start()])
            out.append(f"```console{match[1] or ''}\n")
            for command in commands:
                keeps = command.kind and command.output and not measure
                code, output = reader.run(command, SHORTER if keeps else ())
                assert code == 0, (command.line, code, output)
                if keeps:
                    output = command.output
                print(f"$ {command.line}\n{output}", flush=True)
                out.append(f"$ {command.shown}\n{output}")
            out.append("```")
            at = match.end()
    finally:
        reader.close()
    GUIDE.write_text("".join(out) + text[at:])


if __name__ == "__main__":
    record(os.environ["TRIVIUM_MODEL"], "--measure" in sys.argv[1:])
