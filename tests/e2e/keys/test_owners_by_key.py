"""Over tcp a text belongs to the key of whoever asked for it."""
import subprocess

from conftest import wait_until
from guarded import guarded         # noqa: F401 (a fixture)


def listed(stack, *flags):
    return stack.lines("ps", *flags)[0]["requests"]


def test_a_text_belongs_to_its_key(guarded):  # noqa: F811
    ann, bob, gate = guarded.client("ann"), guarded.client("bob"), guarded.client("gate", rights="gateway")
    writer = guarded.popen("generate", "hello", "--ignore-eos", "--max-new-tokens", 90000, *ann, stdout=subprocess.DEVNULL)
    mine, = wait_until(lambda: listed(guarded, *ann), what="her text")
    request = mine["request"]
    assert "owner" not in mine
    assert not listed(guarded, *bob) and not listed(guarded, *gate)
    for command in ("cancel",), ("tune", "--greedy"), ("watch",):
        assert "no running request begins with" in guarded.refused(command[0], request, *command[1:], *bob)
    for flags in ann, bob:
        assert "only a gateway" in guarded.refused("ps", "--owner", "carl", *flags)
    assert not listed(guarded, "--owner", "ann", *gate)         # that is another ann
    anothers, = listed(guarded)     # with an operator's key
    assert (anothers["request"], anothers["owner"][:4], anothers["owner_name"]) == (request, "key:", "ann")
    shown = guarded.run("ps").stdout
    assert b" ann " in shown and b"key:" not in shown
    assert guarded.run("cancel", request).returncode == 0
    writer.wait(timeout=60)
