"""Memory that cannot be had: who wants it is told so at the start, and nothing ends by an assert of a library."""
import pathlib
import resource

import pytest

from conftest import BUILD, TIMEOUT_S, wait_until

LOADER_CODE = 127               # with which the dynamic loader gives up: nothing of ours runs yet
STEP_KB, ENOUGH_KB = 3000, 400_000


def memory_of_the_machine():
    """In bytes, as the kernel says it."""
    line, = (line for line in pathlib.Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    return int(line.split()[1]) * 1024


def test_more_keys_and_values_than_there_is_memory(models, stack):
    process = stack.start("modeld", "--model", models(type="F32", seed=2), "--kv-memory", "100000G")
    assert process.wait(TIMEOUT_S) == 1
    sentence = stack.log(process)
    assert sentence.startswith("modeld: --kv-memory is 100000G") and sentence.count("\n") == 1, sentence
    assert "that this machine has" in sentence or "that the control group of this process allows" in sentence
    if "machine" in sentence:
        assert f"{memory_of_the_machine() / 2**30:.{1 if memory_of_the_machine() < 100 * 2**30 else 0}f}G" in sentence


def test_a_context_is_a_wish_or_what_the_file_says(models, stack):
    long = models(type="F32", seed=2, context=4194304)
    stack.start_all(long)
    assert stack.model()["n_ctx"] == 1048576
    assert "context n_ctx=1048576 made_for=4194304" in stack.log(stack.modeld)
    stack.stop(stack.modeld)
    short = stack.start("modeld", "--model", models(type="F32", seed=2, context=64), "--n-ctx", "100")
    wait_until(lambda: stack.model()["n_ctx"] == 100, what="the other context")
    assert "beyond what the model was made for" in stack.log(short)
    n_prompt = len(stack.lines("tokenize", "hello")[0]["ids"])
    done = stack.lines("generate", "hello", "--greedy", "--ignore-eos", "--max-new-tokens", "1000")[-1]["done"]
    assert done["finish_reason"] == "length" and n_prompt + done["completion_tokens"] == 100
    stack.stop(short)
    process = stack.start("modeld", "--model", long, "--n-ctx", "1048577")
    assert process.wait(TIMEOUT_S) == 2 and "--n-ctx" in stack.log(process)
    process = stack.start("modeld", "--model", "chapter", "--n-ctx", "257")
    assert process.wait(TIMEOUT_S) == 1 and "has learned 256 positions" in stack.log(process)


def test_openblas_is_there_only_where_it_is_used(models, stack):
    model = models(type="F32", seed=2)
    for flags, there in ([], True), (["--no-blas"], False):
        process = stack.start("modeld", "--model", model, "--name", f"blas{len(flags)}", *flags)
        wait_until(lambda: " ready " in stack.log(process), what="ready")
        assert ("libopenblas" in pathlib.Path(f"/proc/{process.pid}/maps").read_text()) == there
        stack.stop(process)
    for role in ("tokenizerd", "samplerd", "trivium"):
        assert b"libopenblas" not in (BUILD / role).read_bytes(), role


def limited(stack, limit_kb, role, *arguments):
    """A process that may have no more address space than this (ulimit -v), and its log."""
    process = stack.start(role, *arguments,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit_kb * 1024,) * 2))
    return process, stack.logs[process.pid]


def is_ready(process, log):
    """At last; else it has ended."""
    wait_until(lambda: process.poll() is not None or " ready " in log.read_text(), what="an end or ready")
    return process.poll() is None


def why_it_ended(process, text, role):
    """The sentence with which it did; None where not even the kernel or the loader had enough."""
    if process.returncode == -9 and not text or process.returncode == LOADER_CODE:
        return None
    assert process.returncode == 1 and text.startswith(f"{role}: ") and text.count("\n") == 1, (process.returncode, text)
    return text


def serves(stack, process):
    """Whether a text is written. Where this process has too little memory for that, its client is told that there will
    be none, and it lives on and says why itself."""
    done = stack.run("generate", "hello", "--greedy", "--ignore-eos", "--max-new-tokens", "20")
    assert process.poll() is None
    if done.returncode == 0:
        assert done.stdout
        return True
    assert done.returncode == 1 and done.stderr.decode().splitlines()[-1].startswith("trivium: "), done.stderr
    assert "no memory" in done.stderr.decode() + stack.log(process), stack.log(process)
    return False


@pytest.mark.slow    # a sanitizer wants terabytes of address space
@pytest.mark.parametrize("role", ["modeld", "tokenizerd", "samplerd"])
def test_every_limit_of_address_space_ends_in_a_sentence_or_in_service(models, stack, role):
    model = models(type="F32", seed=2)
    arguments = ["--model", model, "--kv-memory", "4M", "--threads", "2"] if role == "modeld" else []
    for other in {"tokenizerd", "modeld", "samplerd"} - {role}:
        stack.start(other, *(["--model", model] if other == "modeld" else []))
    sentences = set()
    for limit_kb in range(STEP_KB, ENOUGH_KB, STEP_KB):
        process, log = limited(stack, limit_kb, role, *arguments)
        if not is_ready(process, log):
            sentences.add(why_it_ended(process, log.read_text(), role))
        elif serves(stack, process):
            break
        else:
            stack.stop(process)
        stack.processes.remove(process)
    else:
        pytest.fail(f"{role} never had enough")
    assert any("(ulimit -v" in text or "sockets" in text for text in sentences - {None}), sentences
