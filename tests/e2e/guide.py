"""The guide's console blocks as commands with what they print; `python3 tests/e2e/guide.py` records them anew.

A block is a list of commands ("$ …", a backslash at the end goes on) with their output below. What is typed into a
chat are its "You: " lines. In a block of ```console varies, figures and steps differ from run to run.
"""
import dataclasses
import os
import re
import subprocess

from conftest import BUILD, ROOT, TIMEOUT_S, Stack
from terminal import Terminal

GUIDE = ROOT / "client" / "GUIDE.md"
FENCE = re.compile(r"^```console( varies)?\n(.*?)^```$", re.S | re.M)


@dataclasses.dataclass
class Command:
    shown: str                  # as it stands in the guide
    output: str
    varies: bool

    @property
    def line(self):
        return self.shown.replace("\\\n", "")

    @property
    def is_text(self):
        """Its lines are as long as the model wrote them, or as a strategy is."""
        return self.line.startswith(("trivium generate", "trivium tune", "echo"))

    @property
    def is_chat(self):
        return self.line.startswith("trivium chat") and "|" not in self.line


def commands_of(block, varies):
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append(Command(line[2:].rstrip("\n"), "", varies))
        elif found[-1].shown.endswith("\\"):
            found[-1].shown += "\n" + line.rstrip("\n")
        else:
            found[-1].output += line
    return found


def read():
    text = GUIDE.read_text()
    return text, [(match, commands_of(match[2], bool(match[1]))) for match in FENCE.finditer(text)]


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
        done = subprocess.run(["bash", "-c", line], env=self.environment, cwd=self.stack.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=10 * TIMEOUT_S)
        return done.returncode, "".join(line.rstrip() + "\n" for line in done.stdout.decode().splitlines())

    def chat(self, command):
        """Type what the block says was typed, each line when it is asked for; what the screen shows then."""
        program = ["bash", "-c", command.line]
        terminal = Terminal(self.stack, *program[1:], program=program[0], environment=self.environment)
        for said in re.findall(r"^You: (.*)$", command.output, re.M):
            terminal.wait_for("You: ")
            terminal.type(said + "\r")
        terminal.end()
        return "\n".join(terminal.lines()) + "\n"

    def close(self):
        subprocess.run([BUILD / "trivium", "down"], env=self.environment, capture_output=True, timeout=30)
        self.stack.close()


def record(real_model):
    text, blocks = read()
    reader = Reader(real_model)
    at, out = 0, []
    try:
        for match, commands in blocks:
            out.append(text[at:match.start()])
            out.append(f"```console{match[1] or ''}\n")
            for command in commands:
                code, output = reader.run(command)
                assert code == 0, (command.line, code, output)
                print(f"$ {command.line}\n{output}", flush=True)
                out.append(f"$ {command.shown}\n{output}")
            out.append("```")
            at = match.end()
    finally:
        reader.close()
    GUIDE.write_text("".join(out) + text[at:])


if __name__ == "__main__":
    record(os.environ["TRIVIUM_MODEL"])
