"""Clients that write texts again and again while something goes wrong, and what they wrote that they should not have."""
import threading

SHOWN_BYTES = 60


class Writers:
    """A thread for each of `wanted`, pairs of arguments of `generate` and the bytes that come of them, in turn at this
    and at the other tokenizerd first. A context: at its end each has written its last text."""

    def __init__(self, stack, wanted, by):
        self.stack, self.wanted, self.by = stack, wanted, by
        self.n_written = [0] * len(wanted)
        self.wrong = []
        self.enough = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(number,)) for number in range(len(wanted))]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.enough.set()
        for thread in self.threads:
            thread.join()

    def write(self, number):
        arguments, expected = self.wanted[number]
        by = self.by if number % 2 == 0 else self.by[::-1]
        while not self.enough.is_set():
            try:
                code, told, errors = self.stack.ask("generate", *arguments, by=by)
            except Exception as error:          # a thread's would be lost
                self.wrong.append(f"text {number}: {error!r}")
                return
            self.n_written[number] += 1
            if (code, told) != (0, expected):
                at = next((i for i, (a, b) in enumerate(zip(told, expected)) if a != b), min(len(told), len(expected)))
                self.wrong.append(f"text {number} by {by}: exit code {code}, {errors.strip()!r}; from byte {at} on "
                                  f"{told[at:at + SHOWN_BYTES]!r} for {expected[at:at + SHOWN_BYTES]!r}")
