"""Peers whose versions of the protocol do not meet ours: each side says so in a sentence, on each link, and the others are
served as before."""
import os

import pytest

from conftest import wait_until
from fake_client import FakeClient
from fake_link import Fake, VERSION, common_pb2
from fake_modeld import FakeModeld
from fake_samplerd import FakeSamplerd
from fake_tokenizerd import FakeTokenizerd
import logits_pb2
import tokens_pb2

TEXT = ("hello", "--seed", "3", "--max-new-tokens", "5", "--ignore-eos")
ONE, LATER = (1, 0), (VERSION + 8, VERSION + 7)


def names_versions(sentence, theirs):
    newest, oldest = theirs
    spoken = f"versions {oldest} to {newest} are" if oldest else f"version {newest} is"
    return f"protocol {spoken} not spoken here, only {VERSION}" in sentence


def of_version(kind, versions):
    return type("Stranger", (kind,), {"version": versions[0], "version_oldest": versions[1]})


@pytest.mark.parametrize("versions", [ONE, LATER], ids=str)
@pytest.mark.parametrize("kind, link", [(FakeClient, "clients"), (FakeModeld, "models"), (FakeSamplerd, "samplers")],
                         ids=["client", "modeld", "samplerd"])
def test_a_joiner_is_refused_and_the_others_are_served(tiny, fakes, kind, link, versions):
    before = tiny.text(*TEXT)
    fake = fakes(of_version(kind, versions), f"ipc://{tiny.runtime}/{link}")
    wait_until(lambda: fake.refusal, what="its refusal")
    assert fake.refusal.code == common_pb2.BAD_VERSION and names_versions(fake.refusal.message, versions)
    assert not fake.peers and tiny.text(*TEXT) == before


class Tokenizerd(Fake):
    incoming, outgoing, role, joins = tokens_pb2.TokensRequest, tokens_pb2.TokensReply, common_pb2.TOKENIZERD, False
    incoming, outgoing = outgoing, incoming


class Modeld(Fake):
    incoming, outgoing, role, joins = logits_pb2.LogitsReply, logits_pb2.LogitsRequest, common_pb2.MODELD, False


@pytest.mark.parametrize("versions", [ONE, LATER], ids=str)
class TestOnesThatAreBound:
    def test_a_client_says_so_and_ends(self, stack, fakes, versions):
        os.makedirs(stack.runtime, mode=0o700)
        fakes(of_version(FakeTokenizerd, versions), f"ipc://{stack.runtime}/clients")
        result = stack.run("generate", *TEXT)
        assert result.returncode == 1 and names_versions(result.stderr.decode(), versions) and not result.stdout

    def test_a_modeld_says_so_and_ends(self, stack, models, fakes, versions):
        address = f"ipc://{stack.folder}/stranger"
        fakes(of_version(Tokenizerd, versions), address)
        modeld = stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--join", address)
        assert modeld.wait(timeout=60) == 1
        assert names_versions(stack.log(modeld).splitlines()[-1], versions)

    def test_a_samplerd_says_so_and_serves_the_others(self, stack, models, fakes, versions):
        address = f"ipc://{stack.folder}/stranger"
        fakes(of_version(Modeld, versions), address)
        stack.start("tokenizerd")
        stack.start("modeld", "--model", models(type="Q4_1", seed=1))
        samplerd = stack.start("samplerd", "--join", address, "--join", f"ipc://{stack.runtime}/samplers")
        wait_until(lambda: names_versions(stack.log(samplerd), versions), what="its refusal")
        assert stack.text(*TEXT) and samplerd.poll() is None
