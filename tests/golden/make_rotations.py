#!/usr/bin/python3
"""Makes rotations.jsonl: what llama.cpp says comes next after ids whose positions are turned by each rule of scaling.

    make_rotations.py FOLDER_OF_LLAMA_BINARIES FOLDER_OF_MAKE_MODEL > rotations.jsonl

A line is a model of make_model's, in its flags, ids, and the log-probabilities of the 20 likeliest next ids, by
llama-server on the CPU. The contexts before scaling are 32 and 64 positions, the prompts go well beyond. llama-server
reads YaRN's own keys only from files of other architectures; "server" has them as its flags.
"""
import contextlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

PORT, N_VOCAB, N_TOP = 8097, 320, 20
FIRST_BYTE = 10     # ids below it are special
LENGTHS = (24, 90, 240)
SHAPE = {"type": "F32", "seed": 41, "head-dim": 32}
YARN = {"rope-type": "yarn", "rope-factor": 4, "rope-original-context": 64}
CASES = [
    ("plain", {}, {}),
    ("llama3 factors", {"llama3-context": 32}, {}),
    ("linear", {"rope-type": "linear", "rope-factor": 4}, {}),
    ("a factor without a type", {"rope-factor": 2.5}, {}),
    ("the old linear key", {"rope-scale-linear": 4}, {}),
    ("llama3 factors and linear", {"llama3-context": 32, "rope-type": "linear", "rope-factor": 2}, {}),
    ("none, with a factor", {"rope-type": "none", "rope-factor": 4}, {}),
    ("yarn", YARN, {}),
    ("yarn of the file's whole context", {"rope-type": "yarn", "rope-factor": 4}, {}),
    ("yarn and an attention factor", YARN | {"rope-attention-factor": 1.25}, {}),
    ("an attention factor alone", {"rope-attention-factor": 0.8}, {}),
    ("yarn and llama3 factors", YARN | {"llama3-context": 32}, {}),
    ("yarn with keys of its own", YARN | {"yarn-beta-fast": 12, "yarn-beta-slow": 3, "yarn-ext-factor": 0.75},
     {"yarn-beta-fast": 12, "yarn-beta-slow": 3, "yarn-ext-factor": 0.75}),
    ("yarn that keeps nothing", YARN | {"yarn-ext-factor": 1e-3}, {"yarn-ext-factor": 1e-3}),
]


def flags(options):
    return [text for name, value in options.items() for text in (f"--{name}", str(value))]


@contextlib.contextmanager
def server(binaries, model, options):
    process = subprocess.Popen(
        [binaries / "llama-server", "-m", model, "--host", "127.0.0.1", "--port", str(PORT), "-c", "256", "-np", "1",
         "-t", "2", "-fa", "off", "-ngl", "0", "--no-warmup", *flags(options)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health").read()
                break
            assert process.poll() is None, "llama-server has ended"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def next_top(ids):
    question = {"prompt": ids, "n_predict": 1, "n_probs": N_TOP, "cache_prompt": False, "temperature": 0}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}/completion", json.dumps(question).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        answer = json.load(reply)
    assert answer["tokens_evaluated"] == len(ids)
    return [[one["id"], round(one["logprob"], 5)] for one in answer["completion_probabilities"][0]["top_logprobs"]]


def main():
    binaries, tools = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        for name, model, options in CASES:
            path = pathlib.Path(folder) / "model.gguf"
            subprocess.run([tools / "make_model", path, *flags(SHAPE | model)], check=True)
            with server(binaries, path, options):
                for n in LENGTHS:
                    ids = random.Random(n).choices(range(FIRST_BYTE, N_VOCAB), k=n)
                    print(json.dumps({"case": name, "model": SHAPE | model, "server": options, "ids": ids,
                                      "next_top": next_top(ids)}), flush=True)


main()
