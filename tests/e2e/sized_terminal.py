"""A terminal whose size changes, and that breaks the lines which have become too long for it, as most do."""
import contextlib
import re

import pexpect
from wcwidth import wcswidth

from terminal import Terminal

QUIET_S = 1.0
SEQUENCE = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")


def written_lines(raw):
    """What a program wrote, line by line, without what was written over and without what a terminal obeys."""
    return [re.split("\r\x1b\\[J", SEQUENCE.sub(lambda m: m[0] if m[0] == "\x1b[J" else "", line))[-1]
            for line in raw.replace("\r\n", "\n").split("\n")]


def widest(lines):
    return max(map(wcswidth, lines), default=0)


class SizedTerminal(Terminal):
    def quiet(self):
        """Read until nothing more comes: what is on the screen is what the program wants there."""
        with contextlib.suppress(pexpect.TIMEOUT):
            while True:
                self.child.expect(".+", timeout=QUIET_S)

    def resize(self, n_rows, n_columns):
        """The cursor stands at the beginning of the line below the last one that was written."""
        above = [line.rstrip() for line in self.screen.display[:self.screen.cursor.y]]
        rows = [row[at:at + n_columns] for row in above for at in range(0, max(len(row), 1), n_columns)]
        self.screen.reset()
        self.screen.resize(n_rows, n_columns)
        self.stream.feed("".join(row + ("" if len(row) == n_columns else "\r\n") for row in rows))
        if rows and len(rows[-1]) == n_columns:
            self.stream.feed("\r\n")
        self.child.setwinsize(n_rows, n_columns)
