"""How long a tune takes while modeld computes one prefill after the other: from Tune to Tuned, on one connection. By hand; asserts
no time, prints p50, p90, p99.

TUNES=1000          one after the other, text after text
TEXTS=8             each computes all its positions anew for each id
PROMPT_WORDS=150    of each text
ROUNDS=3            how often
TRIVIUM_BUILD, TRIVIUM_MODEL as make sets them: make tools, then
    TRIVIUM_BUILD=build TRIVIUM_MODEL=FILE python3 tests/bench/tunes.py
"""
import os
import pathlib
import subprocess
import sys
import time

import ours

BUILD = pathlib.Path(os.environ["TRIVIUM_BUILD"]).resolve()
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fakes"))

import fake_client                                              # noqa: E402

N_TUNES, N_TEXTS = int(os.environ.get("TUNES", "1000")), int(os.environ.get("TEXTS", "8"))
N_WORDS, N_ROUNDS = int(os.environ.get("PROMPT_WORDS", "150")), int(os.environ.get("ROUNDS", "3"))


def texts(daemons):
    """The requests of texts that run until they are ended; their owners acknowledge each change."""
    for i in range(N_TEXTS):
        daemons.processes.insert(0, subprocess.Popen(
            [daemons.build / "trivium", "generate", f"{i} " + "word " * N_WORDS, "--no-kv-cache", "--ignore-eos",
             "--max-new-tokens", "1500", "--json"],
            env=daemons.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    deadline = time.monotonic() + ours.READY_S
    while time.monotonic() < deadline:
        requests = daemons.run("ps")[0]["requests"]
        if len(requests) == N_TEXTS and all(one["step"] > 0 for one in requests):
            return [bytes.fromhex(one["request"]) for one in requests]
        time.sleep(0.1)
    sys.exit("the texts do not run")


def tune(client, request, call):
    """The milliseconds until it is told that it holds."""
    message = client.outgoing()
    message.tune.call, message.tune.request = call, request
    message.tune.strategy.steps.add(name="temperature", numbers=[0.5 + call % 2 / 4])
    begin = time.monotonic()
    client.send(message)
    tuned, _ = client.answer("tuned")
    assert tuned.call == call
    return (time.monotonic() - begin) * 1000


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(daemons):
    client = fake_client.FakeClient(f"ipc://{daemons.folder}/trivium/clients", "tuner")
    client.wait_joined()
    for _ in range(N_ROUNDS):
        load = os.getloadavg()[0]
        requests = texts(daemons)
        step = sum(one["step"] for one in daemons.run("ps")[0]["requests"])
        begin = time.monotonic()
        took_ms = [tune(client, requests[i % N_TEXTS], i + 1) for i in range(N_TUNES)]
        seconds = time.monotonic() - begin
        running = daemons.run("ps")[0]["requests"]
        figures = ", ".join(f"p{share} {percentile(took_ms, share / 100):.1f}" for share in (50, 90, 99))
        print(f"{N_TUNES} tunes over {N_TEXTS} texts in {seconds:.1f} s: {figures}, longest {max(took_ms):.1f} ms"
              f" (load before {load:.1f}; {len(running)} texts took {sum(r['step'] for r in running) - step} steps)", flush=True)
        for owner in daemons.processes[:N_TEXTS]:
            owner.kill()
            owner.wait()
        del daemons.processes[:N_TEXTS]
        while daemons.run("ps")[0]["requests"]:
            time.sleep(0.1)
    client.close()


def main():
    with ours.Daemons(BUILD, os.environ["TRIVIUM_MODEL"]) as daemons:
        measure(daemons)


main()
