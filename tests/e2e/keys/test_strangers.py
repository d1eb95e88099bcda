"""Who is not let in, and what they are told; those who are in notice nothing."""
import contextlib
import os
import subprocess

import pytest

from conftest import TIMEOUT_S, wait_until
from fake_client import FakeClient
from guarded import ANY_PORT, LONG, GuardedStack, guarded  # noqa: F401 (a fixture)
from key_sets import KeySet, Pair
from kills.kept_stack import free_port
from relay import Relay


def no_key(stack):
    return ("--insecure",)


def foreign_key(stack):
    return stack.client("foreign", authorised=False)


def wrong_server_key(stack):
    flags = stack.client("deceived")
    Pair().save(stack.folder / "deceived" / "server" / "tokenizerd.key", secret=False)
    return flags


def key_of_another_link(stack):
    """It may join as a modeld, not as a client."""
    stack.keys.authorise("tokens", "elsewhere", stack.keys.joiner(stack.folder / "elsewhere", "client"))
    return "--keys", stack.folder / "elsewhere"


def revoked_key(stack):
    flags = stack.client("revoked")
    wait_until(lambda: stack.run("status", "--wait", "0.5", *flags).returncode == 0, what="an authorised client")
    stack.keys.revoke("text", "revoked")
    wait_until(lambda: stack.run("status", "--wait", "0.5", *flags).returncode != 0, what="a revoked one")
    return flags


@pytest.mark.parametrize("who", [no_key, foreign_key, wrong_server_key, key_of_another_link, revoked_key])
def test_a_client_is_refused(guarded, who):  # noqa: F811
    flags = who(guarded)
    with guarded.popen("generate", "hello", *LONG, stdout=subprocess.PIPE) as text:
        guarded.running()
        told = guarded.refused("status", "--wait", "1", *flags)
        assert "no tokenizerd answers" in told and guarded.clients in told
        text.communicate(timeout=TIMEOUT_S)
        assert text.returncode == 0
    guarded.said(guarded.tokenizerd, rf" (refused address=127.0.0.1) endpoint={guarded.clients} handshake=[1-9]\d* .*no_message=0")


def test_a_modeld_and_a_samplerd_with_a_clients_key_are_refused(guarded, models):  # noqa: F811
    """The very key that is good for texts."""
    for role, server in (("modeld", "models"), ("samplerd", "samplers")):
        folder = guarded.folder / role
        guarded.keys.authorise("text", role, guarded.keys.joiner(folder, role))
    path = models(type="Q4_1", seed=2)
    other = guarded.start("modeld", "--model", path, "--name", "other", "--join", guarded.models, "--keys", guarded.folder / "modeld",
                          "--bind-samplers", f"ipc://{guarded.folder}/other")
    drawer = guarded.start("samplerd", "--name", "other", "--join", guarded.samplers, "--keys", guarded.folder / "samplerd")
    known = guarded.client("known")
    wait_until(lambda: guarded.run("status", "--wait", "0.5", *known).returncode == 0, what="a look into the folder")
    assert len(guarded.daemons()) == 3
    for process, endpoint in ((other, guarded.models), (drawer, guarded.samplers)):
        guarded.said(process, f" (waiting) endpoint={endpoint} reach=no_handshake")
        assert process.poll() is None
    for link, role in (("tokens", "modeld"), ("logits", "samplerd")):
        (guarded.keys.folder / "authorised" / "text" / f"{role}.key").rename(guarded.keys.authorised(link, role))
    wait_until(lambda: len(guarded.daemons()) == 5, what="both, once their keys are where they belong")


def test_a_client_in_another_language(guarded, fakes):  # noqa: F811
    own = guarded.keys.own["client"]

    class Guarded(FakeClient):
        keys = [key.encode() for key in (guarded.keys.servers["tokenizerd"].public, own.public, own.secret)]
    client = fakes(Guarded, guarded.clients)
    client.wait_joined()
    assert [hello.name for hello in client.hellos] == ["tokenizerd"]


def test_nothing_can_be_read_on_the_road(guarded):  # noqa: F811
    """Of all that passes between a client and tokenizerd, whoever is between them sees neither prompt nor names."""
    heard = []
    address = f"tcp://127.0.0.1:{free_port()}"
    ears = (lambda _, piece: heard.append(piece),) * 2
    with contextlib.closing(Relay(address, guarded.clients, *ears)):
        guarded.text("a sentence that nobody shall read", "--max-new-tokens", "3", "--endpoint", address)
    passed = b"".join(heard)
    assert len(passed) > 1000 and b"CURVE" in passed
    assert b"sentence" not in passed and b"tokenizerd" not in passed


# a folder that does not do

@pytest.fixture
def key_set(stack):
    return KeySet(stack.folder / "keys")


def readable_secret(folder):
    (folder / "server" / "tokenizerd.key_secret").chmod(0o640)
    return "others may read"


def writable_folder(folder):
    (folder / "authorised" / "text").chmod(0o720)
    return "others may write"


def writable_key(folder):
    (folder / "authorised" / "text" / "admin.key").chmod(0o646)
    return "others may write"


def missing_folder(folder):
    (folder / "authorised" / "text" / "admin.key").unlink()
    (folder / "authorised" / "text").rmdir()
    return "there is no"


def missing_secret(folder):
    (folder / "server" / "tokenizerd.key_secret").unlink()
    return "there is no"


def another_secret(folder):
    secret = folder / "server" / "tokenizerd.key_secret"
    secret.write_text((folder / "server" / "tokenizerd.key").read_text() + f'    secret-key = "{Pair().secret}"\n')
    return "another one than that of its public key"


def no_key_in_it(folder):
    (folder / "authorised" / "text" / "admin.key").write_text("nothing")
    return "has no public key"


def unknown_right(folder):
    path = folder / "authorised" / "text" / "admin.key"
    path.write_text(path.read_text().replace("operator", "emperor"))
    return "emperor"


def pipe(folder):
    (folder / "server" / "tokenizerd.key_secret").unlink()
    os.mkfifo(folder / "server" / "tokenizerd.key_secret", 0o600)
    return "is not a file"


@pytest.mark.parametrize("spoil", [readable_secret, writable_folder, writable_key, missing_folder, missing_secret, another_secret,
                                   no_key_in_it, unknown_right, pipe])
def test_a_tokenizerd_does_not_start_with(stack, key_set, spoil):
    said = spoil(key_set.folder)
    process = stack.start("tokenizerd", "--bind-clients", ANY_PORT, "--keys", key_set.folder)
    assert process.wait(TIMEOUT_S) == 1
    assert said in stack.log(process) and str(key_set.folder) in stack.log(process) and stack.log(process).count("\n") == 1


def test_ipc_needs_no_folder(stack):
    process = stack.start("tokenizerd", "--keys", stack.folder / "nowhere")
    wait_until(lambda: " ready " in stack.log(process), what="a tokenizerd")


def test_a_client_says_what_is_wrong_with_its_folder(stack, key_set):
    reach = ("--endpoint", "tcp://127.0.0.1:5555", "--keys", key_set.folder)
    (key_set.folder / "own" / "client.key_secret").chmod(0o604)
    assert "others may read" in stack.refused("status", *reach)
    (key_set.folder / "own" / "client.key_secret").unlink()
    assert "client.key_secret: `trivium keygen` makes it, for another host with --roles client" in stack.refused("status", *reach)
    assert "nowhere" in stack.refused("status", "--endpoint", "tcp://127.0.0.1:5555", "--keys", "nowhere")


def test_nobody_is_authorised(models):
    with GuardedStack(models(type="Q4_1", seed=1), authorised=False) as stack:
        assert "nobody_authorised link=text" in stack.log(stack.tokenizerd)
        stack.refused("status", "--wait", "1")
        stack.keys.authorise("text", "admin", stack.keys.own["client"])
        assert stack.run("status", "--wait", "20").returncode == 0
