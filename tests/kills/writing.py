"""A client that writes a text, watched line by line while it does."""
import json
import threading
import time


class Writing(threading.Thread):
    """`generate --json` of one text; its lines as they came, each with the moment it was seen."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.start_line = None
        self.tokens = []                # of dicts: step, id, text
        self.seen_s = []                # when each of them was seen
        self.rest = []                  # text lines without a token
        self.dones = []
        self.odd = []                   # lines that are none of these
        self.over = False
        self.errors = b""
        self.changed = threading.Condition()
        self.start()

    def run(self):
        for line in self.process.stdout:
            with self.changed:
                self.take(line)
                self.changed.notify_all()
        self.errors = self.process.stderr.read()
        self.process.wait()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def take(self, line):
        try:
            item = json.loads(line)
        except ValueError:
            self.odd.append(line)
            return
        if "start" in item:
            self.start_line = item["start"]
        elif "done" in item:
            self.dones.append(item["done"])
        elif "id" in item:
            self.tokens.append(item)
            self.seen_s.append(time.monotonic())
        elif "text" in item:
            self.rest.append(item)
        else:
            self.odd.append(line)

    def wait(self, condition, seconds):
        """Until condition() holds or the text is over; whether it holds."""
        with self.changed:
            self.changed.wait_for(lambda: condition() or self.over, seconds)
            return condition()

    def has_begun(self):
        return self.start_line is not None

    def has_shown(self, step):
        return len(self.tokens) > step

    def wait_quiet(self, quiet_s, seconds):
        """Until nothing new came for so long: what was under way when something broke has arrived."""
        deadline = time.monotonic() + seconds
        n = -1
        while n != len(self.tokens) and time.monotonic() < deadline:
            n = len(self.tokens)
            self.wait(lambda: len(self.tokens) > n, quiet_s)

    @property
    def ids(self):
        return [token["id"] for token in self.tokens]

    @property
    def text(self):
        return "".join(item["text"] for item in (*self.tokens, *self.rest))
