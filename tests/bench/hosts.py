"""What a road between modeld and samplerd costs: tokens a second, and bytes on the wire a token. Asserts none. make bench-hosts runs it.

ROUNDS=3                each road has its turn so often; figures are medians of the rounds so far
ROADS="1gbit 10ms"      these alone
MODELD_FLAGS, SAMPLERD_FLAGS    what those are to be given besides
TRIVIUM_BUILD, TRIVIUM_MODEL are set by make.
"""
import json
import os
import pathlib
import shlex
import statistics
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in ("e2e/hosts", "e2e", "fakes", ""):
    sys.path.insert(0, str(TESTS / folder))

from conftest import wait_until     # noqa: E402
from host_stack import HostStack    # noqa: E402
from network import CABLE, Network  # noqa: E402
from proxy import Proxy             # noqa: E402

SAMPLERS, PROXIED = 5557, 7557
HEARTBEAT_S = 0.5
DECODE_TOKENS, N_CLIENTS, CLIENT_TOKENS = 128, 8, 48
# name → (how the samplerd is reached, limit of its cable, delay of the proxy each way)
ROADS = {
    "mapped": ("mapped", None, 0),
    "loopback": ("loopback", None, 0),
    "unthrottled": ("direct", None, 0),
    "1gbit": ("direct", "1gbit", 0),
    "100mbit": ("direct", "100mbit", 0),
    "0ms": ("proxied", None, 0),
    "1ms": ("proxied", None, 1),
    "10ms": ("proxied", None, 10),
}
# What is sent of a row; where it is mapped there is no choice.
FORMS = {"cut": ["--no-mapping"], "whole": ["--no-mapping", "--whole-rows"]}


def flags(name):
    return shlex.split(os.environ.get(name, ""))


class TwoHosts(HostStack):
    """a has all but the samplerds of the pools that are reached by a road; those are on b. mapped and loopback are on a."""

    def __init__(self, network, model, proxy):
        super().__init__(network)
        self.road = proxy.road(f"tcp://127.0.0.1:{PROXIED}", network["a"].tcp(SAMPLERS))
        self.start_on("a", "tokenizerd")
        self.start_on("a", "modeld", "--model", model, "--bind-samplers", network["a"].tcp(SAMPLERS), "--insecure",
                      *flags("MODELD_FLAGS"))
        near = network["a"].tcp(SAMPLERS)
        self.sample("a", "mapped", near)
        for form, how in FORMS.items():
            for pool, host, place in (("loopback", "a", near), ("direct", "b", near), ("proxied", "b", self.road.address)):
                self.sample(host, f"{pool} {form}", place, *how)
        wait_until(lambda: len(self.samplers()) == 7, what="all samplerds")

    def sample(self, host, pool, place, *how):
        self.start_on(host, "samplerd", "--pool", pool, "--join", place, "--insecure", *how, *flags("SAMPLERD_FLAGS"))

    def lines(self, *arguments):
        code, told, errors = self.run_on("a", *arguments, "--json", timeout=600)
        if code != 0:
            sys.exit(errors or f"trivium {arguments[0]} ended with {code}")
        return [json.loads(line) for line in told.splitlines()]

    def n_steps(self, pool):
        """That it has drawn, once its last ones have been told."""
        time.sleep(2 * HEARTBEAT_S)
        return self.samplers()[pool]

    def samplers(self):
        """Steps told so far, by pool."""
        return {one["pool"]: one["steps"] for one in self.lines("status")[0]["daemons"] if one["role"] == "samplerd"}

    def measure(self, name, form):
        """{figure: value} of a road."""
        how, limit, delay_ms = ROADS[name]
        pool = f"{how} {form}".strip()
        self.network["b"].limit(limit)
        self.road.delay(delay_ms)
        figures = {}
        for what, arguments in (("decode", ("--tokens", DECODE_TOKENS)),
                                ("clients", ("--tokens", CLIENT_TOKENS, "--clients", N_CLIENTS, "--runs", 1))):
            n_bytes, n_steps = self.wire_bytes(), self.n_steps(pool)
            line, = self.lines("bench", what, *arguments, "--sampler", pool)
            figures[what] = line["decode_tok_s" if what == "decode" else "tok_s"]
            figures[f"{what} bytes"] = (self.wire_bytes() - n_bytes) / (self.n_steps(pool) - n_steps)
        return figures

    def wire_bytes(self):
        """That have passed on b's cable, both ways."""
        counts = json.loads(self.network["b"].run("ip", "-j", "-s", "link", "show", "dev", CABLE))[0]["stats64"]
        return counts["rx"]["bytes"] + counts["tx"]["bytes"]


def show(measured):
    """A table for README.md; ratios are to rows that are read where they lie."""
    def median(road, what):
        return statistics.median(one[what] for one in measured[road])
    base = ("mapped", "")
    print("| road | rows | decode, tok/s | KB a token | 8 clients, tok/s | KB a token |\n|---|---|---|---|---|---|")
    for road in measured:
        cells = list(road)
        for what in ("decode", "clients"):
            ratio = f" = {median(road, what) / median(base, what):.2f} ×" if base in measured else ""
            cells += [f"{median(road, what):.0f}{ratio}", f"{median(road, what + ' bytes') / 1000:.1f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def main():
    names = os.environ.get("ROADS", "").split() or list(ROADS)
    roads = [(name, form) for name in names for form in (FORMS if name != "mapped" else [""])]
    n_rounds = int(os.environ.get("ROUNDS") or 3)
    measured = {road: [] for road in roads}
    with Network("a", "b") as network, Proxy(network["b"].enter) as proxy, \
            TwoHosts(network, os.environ["TRIVIUM_MODEL"], proxy) as hosts:
        hosts.measure(*roads[0])
        for number in range(n_rounds):
            for road in roads if number % 2 == 0 else roads[::-1]:
                measured[road].append(hosts.measure(*road))
            print(f"\nround {number + 1}: load {os.getloadavg()[0]:.1f}")
            show(measured)


if __name__ == "__main__":
    main()
