"""What a program is started with: endpoints and names that no peer takes, and too little of the machine, end it at once
with one sentence."""
import json
import os
import re
import subprocess

import pytest

from conftest import BUILD, wait_until

DAEMONS = ("tokenizerd", "modeld", "samplerd")


def arguments_of(program, models):
    return ("--model", models(type="F32", seed=1)) if program == "modeld" else ()


def ended(stack, program, *arguments):
    process = stack.start(program, *arguments)
    process.wait(60)
    return process.returncode, stack.log(process)


BAD = ["tcp://127.0.0.1:99999", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:-1", "tcp://127.0.0.1:", "tcp://127.0.0.1",
       "tcp://127.0.0.1:12ab", "tcp://127.0.0.1:5555/x", "tcp://:5555", "tcp://", "tcp://::1:5555", "tcp://[::1:5555",
       "tcp://[::g]:5555", "tcp://300.0.0.1:5555", "tcp://a b:5555", "tcp://127.0.0.1:1;127.0.0.1:2", "inproc://x",
       "udp://127.0.0.1:5555", "pgm://127.0.0.1;224.0.0.1:5555", "127.0.0.1:5555", "", "ipc://", "ipc://@x", "ipc://*",
       "tcp://" + 300 * "x" + ":5555", "ipc:///tmp/a\nb"]
FLAGS = [("tokenizerd", "--bind-clients"), ("tokenizerd", "--bind-models"), ("modeld", "--join"),
         ("modeld", "--bind-samplers"), ("samplerd", "--join")]


@pytest.mark.parametrize("program, flag", FLAGS, ids=lambda word: word.strip("-"))
def test_a_daemon_says_which_endpoint_is_none(stack, models, program, flag):
    for bad in BAD + (["tcp://127.0.0.1:0", "tcp://*:5555", "tcp://127.0.0.1:*"] if flag == "--join" else []):
        code, said = ended(stack, program, *arguments_of(program, models), flag, bad)
        assert code == 2 and said.startswith(f"{program}: ") and said.count("\n") == 1, (bad, code, said)


def test_the_client_says_so_too(stack):
    for bad in BAD + ["tcp://127.0.0.1:0", "tcp://*:5555"]:
        sentence = stack.refused("status", "--endpoint", bad, code=2)
        assert sentence.count("\n") == 1, (bad, sentence)


def test_ready_says_where_it_listens(stack, models):
    front = stack.start("tokenizerd", "--bind-clients", "tcp://127.0.0.1:*", "--bind-models", "tcp://127.0.0.1:0", "--insecure")
    ready = wait_until(lambda: re.search(r"ready clients=(\S+) models=(\S+)", stack.log(front)), what="ready")
    clients, joins = ready.groups()
    back = stack.start("modeld", *arguments_of("modeld", models), "--join", joins, "--bind-samplers", "tcp://[::1]:*",
                       "--insecure")
    samplers = wait_until(lambda: re.search(r" samplers=(\S+)", stack.log(back)), what="ready")[1]
    stack.start("samplerd", "--join", samplers, "--insecure")
    for address in (clients, joins, samplers):
        assert 0 < int(address.rsplit(":", 1)[1]) < 65536
    wait_until(lambda: stack.run("generate", "hello", "--max-new-tokens", "2", "--insecure", "--endpoint", clients).returncode == 0,
               what="a text through these endpoints")


@pytest.mark.parametrize("name", ["a\tb", "a\x1bb", "a\x7f", "x" * 129, b"\xff"], ids=["tab", "esc", "del", "long", "bytes"])
@pytest.mark.parametrize("program, flag", [("samplerd", "--name"), ("samplerd", "--pool"), ("modeld", "--name"),
                                           ("tokenizerd", "--name")])
def test_a_name_that_no_peer_takes(stack, models, program, flag, name):
    name = os.fsdecode(name)
    code, said = ended(stack, program, *arguments_of(program, models), flag, name)
    bound = "1 to 128" if program == "modeld" else "at most 128"
    assert code == 2 and f"{flag} must be UTF-8 of {bound} bytes without control characters" in said, said
    sentence = stack.refused("generate", "x", "--sampler", name, code=2)
    assert "--sampler" in sentence


def limited(program, limit, *arguments):
    """A shell's command line: the program under `ulimit LIMIT`."""
    return ["bash", "-c", f'ulimit {limit} && exec "$0" "$@"', str(BUILD / program), *map(str, arguments)]


def run_limited(stack, program, limit, *arguments):
    """The exit code and what was said; None when it is well, ready, and was then ended."""
    process = stack.spawn(*limited(program, limit, *arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = b""
    while b" ready " not in said:
        line = process.stdout.readline()
        said += line
        if not line:
            return process.wait(60), said.decode()
    process.terminate()
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said + rest
    return None, said.decode()


def is_loader(said):
    return "error while loading shared libraries" in said


@pytest.mark.parametrize("program", DAEMONS)
def test_below_the_descriptors_that_it_needs(stack, models, program):
    codes = []
    for limit in [*range(3, 65, 6), 64]:
        code, said = run_limited(stack, program, f"-n {limit}", *arguments_of(program, models))
        codes.append(code)
        if code is not None and not is_loader(said):
            assert code == 1 and said.count("\n") == 1 and "ulimit -n" in said, (limit, code, said)
    assert 1 in codes and codes[-1] is None


def test_the_client_below_the_descriptors_that_it_needs(tiny):
    for limit in [*range(3, 65, 6), 64]:
        done = subprocess.run(limited("trivium", f"-n {limit}", "status", "--json"), env=tiny.environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        said = done.stderr.decode()
        if done.returncode == 0:
            assert len(json.loads(done.stdout)["daemons"]) == 3
        elif not is_loader(said):
            assert done.returncode == 1 and said.count("\n") == 1 and "ulimit -n" in said, (limit, done.returncode, said)
    assert done.returncode == 0


def test_the_limit_of_descriptors_is_raised(stack):
    code, said = run_limited(stack, "tokenizerd", "-S -n 8")
    assert code is None, said


def is_sanitized():
    return b"__asan_init" in (BUILD / "samplerd").read_bytes()


@pytest.mark.skipif(is_sanitized(), reason="AddressSanitizer itself needs terabytes of addresses")
@pytest.mark.parametrize("program", ["tokenizerd", "samplerd", "trivium"])
def test_below_the_memory_that_it_needs(stack, program):
    codes = []
    for megabytes in [*range(20, 140, 6), 1000]:
        arguments = ("status", "--wait", "0") if program == "trivium" else ()
        code, said = run_limited(stack, program, f"-v {megabytes * 1024}", *arguments)
        codes.append(code)
        if code is not None and not is_loader(said):
            assert code == 1 and said.count("\n") == 1, (megabytes, code, said)
            assert "ulimit -v" in said or (program == "trivium" and "no tokenizerd" in said), (megabytes, said)
    assert codes[-1] == (1 if program == "trivium" else None)
