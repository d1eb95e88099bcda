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

    def add(self, name, side, value):
        self.rows.setdefault(name, {}).setdefault(side, []).append(value)

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


def our_turn(daemons, figures, details, prompts, clients, n_tokens):
    line = daemons.decode(n_tokens)
    figures.add("decode", "trivium", line["decode_tok_s"])
    for name in ("forward_ms", "hop_ms", "sample_ms"):
        details.setdefault(name, []).append(line[name])
    for n in prompts:
        figures.add(f"prefill {n}", "trivium", daemons.prefill(n))
    if clients:
        for n, rate in daemons.clients(clients, CLIENT_TOKENS).items():
            figures.add(f"{n} clients", "trivium", rate)


def their_turn(folder, model, fresh, figures, prompts, clients, n_tokens):
    for name, rate in llama_cpp.bench(folder, model, n_tokens, prompts).items():
        figures.add(name if name == "decode" else f"prefill {name}", "llama.cpp", rate)
    if not clients:
        return
    with llama_cpp.Server(folder, model) as server:
        server.complete(fresh.take(PROMPT_TOKENS), 8, 0)
        for n in clients:
            rate = server.clients([fresh.take(PROMPT_TOKENS) for _ in range(n)], CLIENT_TOKENS)
            figures.add(f"{n} clients", "llama.cpp", rate)


def bench_model(build, llama, model, n_rounds, prompts=PROMPTS, clients=CLIENTS, n_tokens=DECODE_TOKENS):
    """Our daemons and llama.cpp in turn; returns our decode rate."""
    n_bytes = model.stat().st_size
    say(f"\n{model.name}: {n_bytes / 1e6:.0f} MB")
    figures, details = Figures(), {}
    with open(model, "rb") as file:            # so that start-up reads the page cache
        while file.read(1 << 24):
            pass
    with ours.Daemons(build, model) as daemons:
        fresh = Prompts(daemons)
        daemons.decode(16)
        for number in range(n_rounds):
            say(f"  round {number + 1}: {load()}")
            our_turn(daemons, figures, details, prompts, clients, n_tokens)
            if llama:
                daemons.stop()
                their_turn(llama, model, fresh, figures, prompts, clients, n_tokens)
                daemons.go()
        figures.show()
        say("  a decoded token: " + ", ".join(f"{name[:-3]} {statistics.median(values):.3f} ms"
                                              for name, values in details.items()))
        resident, anonymous = daemons.resident_bytes()
        say(f"  modeld: ready in {statistics.median(daemons.starts_ms(3)):.0f} ms with a warm page cache; "
            f"{resident / 1e6:.0f} MB resident ({anonymous / 1e6:.0f} MB of its own), "
            f"{resident / n_bytes:.2f} of the file's size")
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


def main():
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
