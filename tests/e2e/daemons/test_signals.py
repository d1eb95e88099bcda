"""Signals at any moment of a program's life: it ends in order, with an exit code of its own, never by the signal. Where the
test starts a program with them blocked, what is sent before main waits for main, so that no moment is left out."""
import random
import signal
import subprocess
import time

import pytest

from conftest import BUILD, wait_until

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SEED, N_ROUNDS = 1, 12


def blocked():
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def begin(stack, program, *arguments, preexec=blocked):
    return stack.spawn(BUILD / program, *arguments, preexec_fn=preexec, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def end_of(process):
    said = process.communicate(timeout=60)[0].decode(errors="replace")
    return process.returncode, said


def nothing_is_left(stack):
    return not [path.name for path in stack.runtime.glob("*") if path.suffix != ".log"]


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("program", ["tokenizerd", "modeld", "samplerd"])
def test_a_daemon_that_is_told_to_end_at_once(stack, models, program, number):
    arguments = ("--model", models(type="F32", seed=1)) if program == "modeld" else ()
    process = begin(stack, program, *arguments)
    process.send_signal(number)
    code, said = end_of(process)
    assert code == 0, said
    assert nothing_is_left(stack)


@pytest.mark.parametrize("program", ["tokenizerd", "modeld", "samplerd"])
def test_a_daemon_that_is_told_to_end_at_any_moment(stack, models, program):
    dice = random.Random(SEED)
    arguments = ("--model", models(type="F32", seed=1)) if program == "modeld" else ()
    for _ in range(N_ROUNDS):
        process = begin(stack, program, *arguments)
        time.sleep(dice.random() * 0.15)
        process.send_signal(dice.choice(ENDING))
        code, said = end_of(process)
        assert code == 0, (SEED, said)
        assert nothing_is_left(stack)


def test_a_daemon_just_after_ready(stack, models):
    for _ in range(5):
        process = stack.start("modeld", "--model", models(type="F32", seed=1))
        wait_until(lambda: " ready " in stack.log(process), what="ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, stack.log(process)


COMMANDS = [("generate", "hello", "--max-new-tokens", "2000", "--ignore-eos"), ("status",), ("ps",), ("tokenize", "hello"),
            ("score", "hello"), ("watch", "ffff"), ("chat",), ("bench", "clients", "--tokens", "500", "--clients", "2")]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("served", [True, False], ids=["served", "waiting"])
def test_the_client_at_any_moment(tiny, stack, command, served):
    one = tiny if served else stack             # without a tokenizerd it waits for one
    dice = random.Random(SEED)
    for i in range(N_ROUNDS):
        process = begin(one, "trivium", *command)
        time.sleep(dice.random() * 0.15 if i else 0)
        process.send_signal(dice.choice(ENDING) if i else signal.SIGINT)
        code, said = end_of(process)
        assert code in (130, 0, 1) and (i or code == 130), (SEED, i, code, said)     # 0 and 1: it was over before
        assert "assert" not in said.lower(), said


def test_up_at_any_moment_leaves_nothing_behind(stack, models):
    dice = random.Random(SEED)
    for i in range(N_ROUNDS):
        process = begin(stack, "trivium", "up", "--model", models(type="F32", seed=1))
        time.sleep(dice.random() * 0.3 if i else 0)
        process.send_signal(signal.SIGINT)
        code, said = end_of(process)
        assert code in (130, 0), said
        down = stack.run("down").stdout
        assert (b"nothing runs" in down) == (code == 130), (said, down)


def ignored(*numbers):
    def dispose():
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN if number in numbers else signal.SIG_DFL)
    return dispose


def test_what_was_ignored_stays_ignored_and_sigterm_ends_it(stack):
    process = begin(stack, "tokenizerd", preexec=ignored(*ENDING))
    wait_until(lambda: stack.run("status", "--wait", "1").returncode == 0, what="tokenizerd")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGHUP)
    assert stack.run("status", "--wait", "1").returncode == 0       # it answers: it has had both
    process.send_signal(signal.SIGTERM)
    code, said = end_of(process)
    assert code == 0, said


def test_daemons_of_up_are_told_nothing_of_what_was_ignored(stack, models):
    up = begin(stack, "trivium", "up", "--model", models(type="F32", seed=1), preexec=ignored(*ENDING))
    assert end_of(up)[0] == 0
    try:
        for name in ("tokenizerd", "modeld", "samplerd"):
            pid = int((stack.runtime / f"{name}.pid").read_text().split()[0])
            masks = dict(line.split(":\t") for line in open(f"/proc/{pid}/status").read().splitlines() if line[:3] == "Sig")
            ending = sum(1 << (number - 1) for number in ENDING)
            assert int(masks["SigIgn"], 16) & ending == 0 and int(masks["SigBlk"], 16) & ending == 0
            assert int(masks["SigCgt"], 16) & ending == ending
    finally:
        stack.run("down")
