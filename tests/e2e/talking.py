"""The daemons that the dialogues of PROTOCOL.md are held with."""
from conftest import wait_until

SAMPLER = "a samplerd joins"


def text_daemons(stack, model):
    """Ready but for a samplerd; the address for clients, what begins and what happens then."""
    stack.start("tokenizerd", "--name", "front", "--heartbeat-ms", 500)
    stack.start("modeld", "--model", model, "--name", "tiny", "--kv-memory", "4M")
    wait_until((stack.runtime / "clients").exists, what="tokenizerd")
    stack.model()
    return f"ipc://{stack.runtime}/clients", lambda: None, {SAMPLER: lambda: stack.start("samplerd")}


def logits_daemons(stack, model):
    stack.folder.joinpath("sockets").mkdir()
    address = f"ipc://{stack.folder}/sockets/samplers"
    return address, lambda: stack.start("samplerd", "--join", address, "--name", "sampler"), {}


DAEMONS = {"text": text_daemons, "logits": logits_daemons}
MODEL = dict(type="Q4_1", seed=1)
