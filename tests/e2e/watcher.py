"""Somebody who watches a text that somebody else has written."""
import json
import threading


def tokens(lines):
    return {line["step"]: line for line in lines if "id" in line}


class Watcher:
    """`watch --json`, read as it writes."""

    def __init__(self, stack, request, *arguments):
        self.process = stack.popen("watch", request[:12], *arguments, "--json")
        self.begin = json.loads(self.process.stdout.readline())["watch"]
        self.lines = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(map(json.loads, self.process.stdout)))

    def read(self):
        self.reader.start()
        return self

    def end(self):
        """The steps that were seen, and how it ended."""
        self.reader.join(timeout=60)
        assert self.process.wait(timeout=60) == 0
        return tokens(self.lines), self.lines[-1]["over"]
