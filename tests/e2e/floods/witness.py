"""What stands beside a flood: a text that an old client reads all the time, and the memory of each daemon."""
import pathlib
import threading
import time

from conftest import BUILD, TIMEOUT_S, wait_until

# What a daemon holds cannot be told of a build that keeps freed memory to find who still uses it.
SANITIZED = b"__asan_init" in (BUILD / "tokenizerd").read_bytes()
TEXT = ("Once upon a time", "--seed", "3", "--temperature", "1.5", "--ignore-eos", "--max-new-tokens", "90000")


class Witness:
    """A client whose text began before the flood. A context: it must still be written on at its end."""

    def __init__(self, stack):
        self.client = stack.popen("generate", *TEXT, bufsize=0)
        self.read_at = [time.monotonic()]
        self.n_bytes = 0
        self.reader = threading.Thread(target=self._read, daemon=True)

    def _read(self):
        while piece := self.client.stdout.read(4096):
            self.read_at.append(time.monotonic())
            self.n_bytes += len(piece)

    def __enter__(self):
        self.reader.start()
        self.reads_on()
        self.read_at[:-1] = []
        return self

    def __exit__(self, failure, *_):
        try:
            if not failure:
                self.reads_on()
        finally:
            self.client.kill()
            self.reader.join(timeout=TIMEOUT_S)

    def reads_on(self):
        """More of its text comes: nobody lost it."""
        n_bytes = self.n_bytes
        wait_until(lambda: self.n_bytes > n_bytes + 16 or self.client.poll() is not None, what="more of a text")
        assert self.client.poll() is None, self.client.stderr.read().decode()

    def longest_gap_ms(self):
        """Between two pieces of the text, so far: for whoever measures by hand, never for an assertion."""
        times = list(self.read_at)
        return 1000 * max((later - earlier for earlier, later in zip(times, times[1:])), default=0)


def peak_bytes(process):
    """The most memory that a process has held so far, mapped files that others share left out as far as the kernel tells."""
    return status_bytes(process, "VmHWM")


def held_bytes(process):
    """The memory that a process holds now."""
    return status_bytes(process, "RssAnon")


def status_bytes(process, field):
    if SANITIZED:
        return 0
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


def n_descriptors(process):
    return len(list(pathlib.Path(f"/proc/{process.pid}/fd").iterdir()))
