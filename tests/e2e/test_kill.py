"""kill -9 of any daemon while a text is written: it comes back, and the text is the same to the byte."""
import os
import signal
import time

import pytest

from conftest import caught_running

CHAINS = {
    "default": (),
    "mirostat": ("--mirostat", '{"tau": 4, "eta": 0.2}'),
    "adaptive": ("--chain", '[{"dry": {"multiplier": 1, "base": 1.75, "allowed_length": 2, "last_n": 64}}, '
                            '{"xtc": {"probability": 0.5, "threshold": 0.1}}, {"adaptive_p": {"target": 0.2, "decay": 0.9}}]'),
}


@pytest.mark.parametrize("killed", ["tokenizerd", "modeld", "samplerd"])
@pytest.mark.parametrize("chain", CHAINS)
def test_a_killed_daemon_is_a_pause(stack, models, killed, chain):
    arguments = {"tokenizerd": (), "modeld": ("--model", models(type="Q8_0", seed=3, context=100000)), "samplerd": ()}
    daemons = {role: stack.start(role, *flags) for role, flags in arguments.items()}
    stack.wait_ready()
    request = ("hello", "--seed", "3", "--ignore-eos", "--max-new-tokens", "2500", *CHAINS[chain])
    alone = stack.text(*request)

    def begin():
        client = stack.popen("generate", *request, bufsize=0)
        begun = os.read(client.stdout.fileno(), 4096)
        time.sleep(0.1)
        return client, begun
    client, begun = caught_running(begin)
    daemons[killed].send_signal(signal.SIGKILL)
    daemons[killed].wait()
    stack.processes.remove(daemons[killed])
    stack.start(killed, *arguments[killed])
    rest, errors = client.communicate(timeout=60)
    assert client.returncode == 0, errors
    assert begun + rest == alone
