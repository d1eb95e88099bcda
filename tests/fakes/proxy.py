"""A road over TCP that is bad in more ways than a Relay's, in a process of its own, on whatever host that is.

The process opens roads and is told of each while it runs how it is, a line of JSON each: [road, verb, arguments …]. It
answers each with a line, and ends when nobody can tell it anything any more. Proxy is its handle, Road that of a road.
"""
import asyncio
import contextlib
import json
import pathlib
import selectors
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from relay import WAYS, Relay       # noqa: E402

QUEUE_PIECES_MAX = 4096             # on their way in one direction of a connection: more than any delay here asks for
THROTTLED_S = 0.01                  # of what may pass in a second, so much goes at once
RESET = struct.pack("ii", 1, 0)     # SO_LINGER: closing sends RST


class BadRoad(Relay):
    """Each direction of each connection is held back by `delay_s` without being slowed, then passes at no more than
    `bytes_a_second`, in pieces of at most `piece_bytes`. 0 is none of it."""
    PIECE_BYTES = 1 << 18

    def __init__(self, address, target):
        self.delay_s = self.bytes_a_second = self.piece_bytes = 0
        self.n_bytes = dict.fromkeys(WAYS, 0)       # that have passed
        super().__init__(address, target)

    def new_loop(self):
        """With select, which waits for microseconds where epoll rounds up to a millisecond."""
        return asyncio.SelectorEventLoop(selectors.SelectSelector())

    # what it can be told
    def delay(self, milliseconds):
        self.delay_s = milliseconds / 1000

    def throttle(self, bytes_a_second):
        self.bytes_a_second = bytes_a_second

    def chop(self, piece_bytes):
        self.piece_bytes = piece_bytes

    def finish(self):
        """Both ends of all connections are told that the other has no more to say (FIN)."""
        self.call(lambda: [writer.close() for writer in self.writers])

    def reset(self):
        """Both ends of all connections are told that there is no such connection (RST)."""
        def do():
            for writer in self.writers:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            self.cut_now(open_again=True)
        self.call(do)

    def passed(self):
        """The bytes of each direction, so far."""
        return self.n_bytes

    # its own thread
    def mend_now(self):
        self.delay_s = self.bytes_a_second = self.piece_bytes = 0
        super().mend_now()

    async def pass_all(self, reader, writer, way, number):
        queue = asyncio.Queue(QUEUE_PIECES_MAX)
        passing = asyncio.ensure_future(self.pass_queue(queue, writer, way, number))
        with contextlib.suppress(OSError):
            while piece := await reader.read(self.PIECE_BYTES):
                await queue.put((self.loop.time() + self.delay_s, piece))
        await queue.put((self.loop.time() + self.delay_s, b""))
        await passing

    async def pass_queue(self, queue, writer, way, number):
        while True:
            due, piece = await queue.get()
            if due > self.loop.time():
                await asyncio.sleep(due - self.loop.time())
            if not piece:
                self.pass_end(writer)
                return
            at = 0
            while at < len(piece) and not writer.is_closing():
                part = piece[at:at + self.part_bytes()]
                at += len(part)
                await self.pass_on(part, writer, way, number)
                self.n_bytes[way] += len(part)
                if self.bytes_a_second:
                    await asyncio.sleep(len(part) / self.bytes_a_second)

    def part_bytes(self):
        throttled = max(1, int(self.bytes_a_second * THROTTLED_S)) if self.bytes_a_second else self.PIECE_BYTES
        return min(throttled, self.piece_bytes or self.PIECE_BYTES)


class Proxy:
    """The process, on the host that `enter` leads to (words before its command). A context."""

    def __init__(self, enter=()):
        self.process = subprocess.Popen([*enter, sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def ask(self, *words):
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise OSError(f"the proxy ended at {words}")
        answer = json.loads(line)
        if "error" in answer:
            raise OSError(f"{words}: {answer['error']}")
        return answer["ok"]

    def road(self, address, target):
        """From one tcp:// address to another."""
        self.ask(address, "open", target)
        return Road(self, address)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Road:
    """A BadRoad in a Proxy: .delay(10), .stall(), .mend() …; `address` is where to join it."""
    VERBS = ("delay", "throttle", "chop", "stall", "cut", "finish", "reset", "mend", "passed")

    def __init__(self, proxy, address):
        self.proxy, self.address = proxy, address

    def __getattr__(self, verb):
        if verb not in self.VERBS:
            raise AttributeError(verb)
        return lambda *arguments: self.proxy.ask(self.address, verb, *arguments)


def main():
    roads = {}
    for line in sys.stdin:
        address, verb, *arguments = json.loads(line)
        try:
            if verb == "open":
                roads[address], told = BadRoad(address, *arguments), None
            else:
                told = getattr(roads[address], verb)(*arguments)
            answer = {"ok": told}
        except OSError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
