"""make bench: what the pipeline does here, and beside llama.cpp in the same run. Asserts no time; prints.

LLAMA_BIN=FOLDER    of llama-bench, llama-server, llama-quantize: they and we take turns, round by round
MODELS="A B"        these files instead of the one that talks
TYPES="Q4_0 F16"    also that model in these types, made with llama-quantize (needs LLAMA_BIN)
WIDE=1              also a random model of a billion parameters in Q4_0, whose weights no cache holds
ROUNDS=3            how often each side has its turn
TRIVIUM_BUILD, TRIVIUM_MODEL are set by make.
"""
import os
import pathlib
import platform
import random
import signal
import statistics
import subprocess
import sys

import llama_cpp
import ours

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGLISH = [pathlib.Path("/usr/share/common-licenses/GPL-3"), ROOT / "README.md"]
PROMPTS = (16, 128, 512)
CLIENTS = (1, 2, 4, 8)
DECODE_TOKENS, CLIENT_TOKENS, PROMPT_TOKENS = 128, 96, 32
WIDE_TOKENS, WIDE_CONTEXT = 32, 4096
WIDE_SHAPE = {"type": "Q4_0", "dim": 2048, "layers": 16, "heads": 32, "kv-heads": 8, "ffn": 8192, "vocab": 32768,
              "context": WIDE_CONTEXT}


def say(*words):
    print(*words, flush=True)


def load():
    return "load %.1f" % os.getloadavg()[0]


class Figures:
    """Values by name and side, in order of the first; shown as medians, with their range."""

    def __init__(self):
        self.rows = {}

    def add(self, side, rates):
        for name, rate in rates.items():
            self.rows.setdefault(name, {}).setdefault(side, []).append(rate)

    def show(self):
        self.line("tok/s, medians", "trivium", "(range)", "llama.cpp", "(range)", "ratio")
        for name, sides in self.rows.items():
            us, them = sides.get("trivium", []), sides.get("llama.cpp", [])
            cells = [cell for values in (us, them) for cell in self.cells(values)]
            ratio = "%.2f" % (statistics.median(us) / statistics.median(them)) if us and them else ""
            self.line(name, *cells, ratio)

    @staticmethod
    def line(*cells):
        say(("  %-22s %10s %14s %12s %14s %7s" % cells).rstrip())

    @staticmethod
    def cells(values):
        if not values:
            return "", ""
        return "%.1f" % statistics.median(values), "(%.0f–%.0f)" % (min(values), max(values))


class Prompts:
    """Ids of random words, so that no cache holds them: the kind of prompt that `trivium bench` makes."""

    def __init__(self, daemons):
        words = "".join(" " + "".join(random.choice("bdfghjklmnprstvz") + random.choice("aeio") for _ in range(2))
                        for _ in range(20000))
        self.ids = daemons.tokenize(words)

    def take(self, n):
        ids, self.ids = self.ids[:n], self.ids[n:]
        return ids


class Trivium:
    """Our side: each measurement returns tokens a second by the figure's name."""

    def __init__(self, daemons):
        self.daemons = daemons
        self.details = {}                      # of a decoded token: times in ms

    def decode(self, n_tokens):
        line = self.daemons.decode(n_tokens)
        for name in ("forward_ms", "hop_ms", "sample_ms"):
            self.details.setdefault(name, []).append(line[name])
        return {"decode": line["decode_tok_s"]}

    def prefill(self, n_prompt):
        return {f"prefill {n_prompt}": self.daemons.prefill(n_prompt)}

    def clients(self, counts):
        return {f"{n} clients": rate for n, rate in self.daemons.clients(counts, CLIENT_TOKENS).items()}

    def tell_kv_cache(self):
        for line in self.daemons.kv_cache():
            say("  {tokens} tokens after {prompt_tokens}: {with_cache_s:.2f} s with the KV-cache, "
                "{without_cache_s:.2f} s without: {speedup:.1f} times".format(**line))

    def tell(self):
        times = ", ".join(f"{name[:-3]} {statistics.median(values):.3f} ms" for name, values in self.details.items())
        say(f"  a decoded token: {times}")
        n_bytes = self.daemons.model.stat().st_size
        resident, anonymous = self.daemons.resident_bytes()
        say(f"  modeld: ready in {statistics.median(self.daemons.starts_ms(3)):.0f} ms with a warm page cache; "
            f"{resident / 1e6:.0f} MB resident ({anonymous / 1e6:.0f} MB of its own), "
            f"{resident / n_bytes:.2f} of the file's size")


class LlamaCpp:
    """Their side, with the same names."""

    def __init__(self, folder, daemons):
        self.folder, self.daemons, self.model = folder, daemons, daemons.model
        self.fresh = Prompts(daemons)

    def decode(self, n_tokens):
        return {"decode": llama_cpp.bench(self.folder, self.model, n_tokens, 0)}

    def prefill(self, n_prompt):
        return {f"prefill {n_prompt}": llama_cpp.bench(self.folder, self.model, 0, n_prompt)}

    def clients(self, counts):
        rates = {}
        with llama_cpp.Server(self.folder, self.model) as server:
            server.complete(self.fresh.take(PROMPT_TOKENS), 8, 0)
            for n in counts:
                prompts = [self.fresh.take(PROMPT_TOKENS) for _ in range(n)]
                rates[f"{n} clients"] = server.clients(prompts, CLIENT_TOKENS)
        return rates


def read_once(path):
    """So that what follows finds it in the page cache."""
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass


def bench_model(build, llama, model, n_rounds, prompts=PROMPTS, clients=CLIENTS, n_tokens=DECODE_TOKENS):
    """Figure by figure our daemons and llama.cpp take turns; returns our decode rate."""
    say(f"\n{model.name}: {model.stat().st_size / 1e6:.0f} MB")
    read_once(model)
    measurements = [("decode", n_tokens), *(("prefill", n) for n in prompts)]
    if clients:
        measurements.append(("clients", clients))
    figures = Figures()
    with ours.Daemons(build, model) as daemons:
        us, them = Trivium(daemons), LlamaCpp(llama, daemons) if llama else None
        daemons.decode(16)
        for number in range(n_rounds):
            say(f"  round {number + 1}: {load()}")
            for name, what in measurements:
                figures.add("trivium", getattr(us, name)(what))
                if them:
                    with daemons.stopped():
                        figures.add("llama.cpp", getattr(them, name)(what))
        figures.show()
        us.tell()
        if prompts:
            us.tell_kv_cache()
    return statistics.median(figures.rows["decode"]["trivium"])


def run_tool(build, *command):
    say(f"\n{command[0]}:")
    done = subprocess.run([build / "tests" / command[0], *map(str, command[1:])], capture_output=True, text=True,
                          check=True)
    for line in done.stdout.splitlines():
        say(f"  {line}")


def quantized(build, llama, model, kind):
    """The model in another type, made once, from its widening to float32."""
    folder = build / "bench"
    folder.mkdir(exist_ok=True)
    wide, out = folder / f"{model.stem}-wide.gguf", folder / f"{model.stem.rsplit('.', 1)[0]}.{kind}.gguf"
    if not out.exists():
        if not wide.exists():
            make_file(wide, build / "tests" / "widen", model)
        partial = out.with_suffix(".partial")
        subprocess.run([llama / "llama-quantize", wide, partial, kind], check=True, capture_output=True)
        partial.rename(out)
    return out


def make_file(path, program, *arguments, after=()):
    """Run a program that writes path; it gets its name when it is whole."""
    partial = path.with_suffix(".partial")
    subprocess.run([program, *arguments, partial, *after], check=True)
    partial.rename(path)


def bench_wide(build, llama, n_rounds):
    (build / "bench").mkdir(exist_ok=True)
    model = build / "bench" / "random-1b.Q4_0.gguf"
    if not model.exists():
        flags = [text for name, value in WIDE_SHAPE.items() for text in (f"--{name}", str(value))]
        make_file(model, build / "tests" / "make_model", after=flags)
    rate = bench_model(build, llama, model, n_rounds, prompts=(), clients=(), n_tokens=WIDE_TOKENS)
    done = subprocess.run([build / "tests" / "bench_memory"], capture_output=True, text=True, check=True)
    bound = float(done.stdout.split()[0])
    read = rate * model.stat().st_size / 1e9
    say(f"  memory: plain reading reaches {bound:.1f} GB/s, our decode reads {read:.1f} GB/s: {read / bound:.0%}")


def cpu_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def end(number, _frame):
    """As an exception, so that what was started is ended, too."""
    sys.exit(128 + number)


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    build = pathlib.Path(os.environ.get("TRIVIUM_BUILD", ROOT / "build"))
    llama = pathlib.Path(os.environ["LLAMA_BIN"]) if os.environ.get("LLAMA_BIN") else None
    model = pathlib.Path(os.environ["TRIVIUM_MODEL"])
    n_rounds = int(os.environ.get("ROUNDS") or 3)
    kinds = os.environ.get("TYPES", "").split()
    if kinds and not llama:
        sys.exit("TYPES needs LLAMA_BIN: llama-quantize makes the files")
    say(f"{cpu_name()}, {os.cpu_count()} cores, {load()}")
    models = [pathlib.Path(name) for name in os.environ.get("MODELS", "").split()] or [model]
    models += [quantized(build, llama, model, kind) for kind in kinds]
    for one in models:
        try:
            bench_model(build, llama, one, n_rounds)
        except ours.Refused as refusal:
            say(f"  refused: {refusal}")
    if os.environ.get("WIDE", "0") not in ("", "0"):
        bench_wide(build, llama, n_rounds)
    run_tool(build, "bench_chain")
    run_tool(build, "bench_encode", model, next(path for path in ENGLISH if path.exists()))
    run_tool(build, "bench_model", model)
    say(f"\nat the end: {load()}")


if __name__ == "__main__":
    main()
