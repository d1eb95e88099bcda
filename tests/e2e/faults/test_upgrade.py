"""Two versions of the protocol side by side, as in an upgrade of one daemon after the other: what this build has, and the
next one (make next), whose newest version is one more and whose messages have a field more. Each daemon is killed once while
texts are written; the texts are those of a single version, and nothing newer is said to whoever would not know it."""
import functools

import pytest

from conftest import wait_until
from fake_client import FakeClient
from fake_link import VERSION, Fake, common_pb2
from fake_modeld import FakeModeld
from fake_samplerd import FakeSamplerd
from fake_tokenizerd import FakeTokenizerd
from kills.fault import DAEMONS, LINKS
from kills.mixed_stack import ENDS, NEXT, SAID, TODAY, MixedStack, round_of_kills
from kills.versions import NEXT_VERSION
from rounds import hold, paths, undisturbed             # noqa: F401 (fixtures)
import logits_pb2
import tokens_pb2

ROLES = (*DAEMONS, "client")


def builds(first, others, *roles):
    """These roles of the one build, the others of the other."""
    return {role: first if role in roles else others for role in ROLES}


MIXES = {**{f"next-{role}": builds((NEXT,), (TODAY,), role) for role in ROLES},
         **{f"next-but-{role}": builds((TODAY,), (NEXT,), role) for role in ROLES},
         "all-next": builds((NEXT,), (NEXT,))}
ROLLS = {"roll-forward": builds((TODAY,), (TODAY, NEXT), "client"), "roll-back": builds((NEXT,), (NEXT, TODAY), "client")}


def mixed(of_builds, look):
    """Makes a stack of these builds; look(stack) when its daemons have ended."""
    class Stack(MixedStack):
        def close(self):
            look(self)
            super().close()
    return functools.partial(Stack, of_builds)


@pytest.mark.slow
@pytest.mark.parametrize("name", MIXES)
def test_two_versions_write_the_texts_of_one(name, paths, undisturbed):
    mix = MIXES[name]
    spoken = {link: NEXT_VERSION if all(mix[end] == (NEXT,) for end in ends) else VERSION for link, ends in ENDS.items()}
    seen = {}

    def look(stack):
        for link in LINKS:
            seen[link] = stack.versions[link].spoken
            seen[link, "newer"] = {stack.versions[link].n_newer[side] > 0 for side in (0, 1)}
        for role, link in SAID:
            seen[role, link] = set(stack.logged(role, link))
    hold(round_of_kills(name), paths, undisturbed, mixed(mix, look))
    assert seen == {**{link: {version} for link, version in spoken.items()},
                    **{(link, "newer"): {version == NEXT_VERSION} for link, version in spoken.items()},
                    **{(role, link): {spoken[link]} for role, link in SAID}}


@pytest.mark.parametrize("name", ROLLS)
def test_a_daemon_comes_back_in_the_other_version(name, paths, undisturbed):
    """Its texts go on, and with them a version that all speak."""
    roll, seen = ROLLS[name], {}

    def look(stack):
        seen.update({key: stack.logged(*key) for key in SAID})
    hold(round_of_kills(name), paths, undisturbed, mixed(roll, look))
    before, after = (VERSION, NEXT_VERSION) if name == "roll-forward" else (NEXT_VERSION, VERSION)
    assert {(said[0], said[-1]) for said in seen.values()} == {(before, after)}, seen


# A build that has given the version of this one up.

REFUSAL = f"protocol version {NEXT_VERSION} is not spoken here, only {VERSION}; one of the two is to be upgraded"


def later(kind):
    """A fake of this kind that speaks nothing but the next version."""
    class Later(kind):
        def offer(self, hello):
            super().offer(hello)
            hello.version = hello.version_oldest = NEXT_VERSION
    return Later


@pytest.mark.parametrize("kind, link", [(FakeClient, "clients"), (FakeModeld, "models"), (FakeSamplerd, "samplers")])
def test_whoever_joins_with_later_versions_only_is_told_both_ranges(tiny, fakes, kind, link):
    fake = fakes(later(kind), f"ipc://{tiny.runtime}/{link}")
    wait_until(lambda: fake.refusal, what="a refusal")
    assert (fake.refusal.code, fake.refusal.message) == (common_pb2.BAD_VERSION, REFUSAL) and not fake.ready.is_set()
    assert len(tiny.daemons()) == 3


class FakeModels(Fake):
    """A tokenizerd's endpoint for modelds."""
    incoming, outgoing, role, joins = tokens_pb2.TokensReply, tokens_pb2.TokensRequest, common_pb2.TOKENIZERD, False


class FakeSamplers(Fake):
    """A modeld's endpoint for samplers."""
    incoming, outgoing, role, joins = logits_pb2.LogitsReply, logits_pb2.LogitsRequest, common_pb2.MODELD, False


def test_whoever_joins_one_with_later_versions_only_says_both_ranges(stack, models, fakes):
    at = {kind: f"ipc://{stack.folder}/{kind.__name__}" for kind in (FakeTokenizerd, FakeModels, FakeSamplers)}
    for kind, address in at.items():
        fakes(later(kind), address)
    assert REFUSAL in stack.refused("generate", "hello", "--endpoint", at[FakeTokenizerd])
    modeld = stack.start("modeld", "--model", models(type="Q4_1", seed=1), "--join", at[FakeModels])
    assert modeld.wait(60) == 1 and REFUSAL in stack.log(modeld)
    samplerd = stack.start("samplerd", "--join", at[FakeSamplers])
    wait_until(lambda: REFUSAL in stack.log(samplerd), what="samplerd's word about it")
    assert samplerd.poll() is None
