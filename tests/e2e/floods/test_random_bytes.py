"""A hundred thousand connections of random bytes, several at once: all is afterwards as it was, and the log is short."""
import collections
import contextlib
import random
import socket
import threading
import time

import pytest

from conftest import IS_TINY, wait_until
import curve
from few_files import LONG, files_enough  # noqa: F401
from roads import RoadStack
from witness import Witness, held_bytes, n_descriptors
import zmtp

N_CONNECTIONS = 100_000
FLOOD_S_MAX = 120                           # on a slow machine there are fewer of them
N_THREADS, N_HELD = 4, 16                   # so many of each thread are there at once
BYTES_MAX = 700
LEFT_BYTES_MAX = 24 << 20                   # beside what was held before
ADDRESSES_MAX = 2 if IS_TINY else 64        # REFUSED_ADDRESSES_MAX of limits.h
BEGINNINGS = (b"", b"", zmtp.GREETING, zmtp.GREETING + zmtp.READY, curve.GREETING, curve.GREETING + bytes([zmtp.COMMAND, 200]) + b"\x05HELLO")


def connect(address, chance):
    """Over tcp from some address of this host."""
    kind, place = address.split("://")
    if kind == "ipc":
        return zmtp.bare(address)
    host, port = place.rsplit(":", 1)
    one = socket.socket()
    one.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
    one.bind((f"127.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(1, 255)}", 0))
    one.connect((host, int(port)))
    return one


class Flood:
    """Of one address: `n` connections were made. What ends while it is being made is one, too."""

    def __init__(self, address, n_most):
        self.address = address
        self.n, self.n_most = 0, n_most
        self.until = time.monotonic() + FLOOD_S_MAX

    def pour(self, seed):
        chance, held = random.Random(seed), collections.deque()
        for _ in range(self.n_most // N_THREADS):
            if time.monotonic() > self.until:
                break
            with contextlib.suppress(ConnectionError):
                one = connect(self.address, chance)
                held.append(one)
                one.sendall(chance.choice(BEGINNINGS) + chance.randbytes(chance.randrange(BYTES_MAX)))
            self.n += 1
            if len(held) > N_HELD:
                held.popleft().close()
        for one in held:
            one.close()

    def run(self):
        threads = [threading.Thread(target=self.pour, args=(seed,)) for seed in range(N_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def n_lines(log, word):
    return sum(f" {word} " in line for line in log.splitlines())


@pytest.mark.parametrize("road", ["ipc", "tcp", "keys"])
def test_random_bytes_leave_nothing(road, models):
    with RoadStack(road, models(**LONG)) as stack:
        daemon = stack.tokenizerd
        n_before, held_before, began = n_descriptors(daemon), held_bytes(daemon), time.monotonic()
        with Witness(stack) as witness:
            flood = Flood(stack.clients, N_CONNECTIONS)
            flood.run()
            witness.reads_on()
            assert stack.text("Once", "--max-new-tokens", "3")
        assert flood.n > N_CONNECTIONS / 10
        wait_until(lambda: n_descriptors(daemon) <= n_before, what="their descriptors")
        wait_until(lambda: held_bytes(daemon) <= held_before + LEFT_BYTES_MAX, what="their memory")
        minutes = 1 + int(time.monotonic() - began) // 60
        log = stack.log(daemon)
        assert n_lines(log, "refused") <= minutes * (ADDRESSES_MAX + 1)
        assert n_lines(log, "connections_cut") <= minutes
        if road != "ipc":
            assert " refused address=others " in log
        assert daemon.poll() is None and stack.modeld.poll() is None
