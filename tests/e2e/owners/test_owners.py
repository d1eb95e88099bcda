"""Whose text is it: nobody finds another's, an operator finds all, and two owners may have the same id at once."""
import os
import subprocess

import pytest

from asking_client import ENOUGH, FINISH_CANCELLED, FINISH_LENGTH, GREEDY, AskingClient
from conftest import Stack, wait_until
from lost_daemons import lost_while_all_write
import common_pb2

NOBODY = 65534                      # a user that no file here belongs to
WRITERS = 65533                     # and a group


@pytest.fixture(scope="module")
def long(models):
    """A stack whose texts may be long, and stand still while their samplerd does."""
    with Stack() as one:
        one.start_all(models(type="Q8_0", seed=3, context=100000), "--step-deadline-ms", "60000", "--heartbeat-ms", "20000")
        yield one


def join(stack, fakes, owner):
    """On behalf of that owner; "": in the name of whoever runs the tests, who is an operator."""
    return fakes(AskingClient, f"ipc://{stack.runtime}/clients", owner or "operator", owner)


@pytest.fixture
def ann(long, fakes):
    return join(long, fakes, "ann")


@pytest.fixture
def bob(long, fakes):
    return join(long, fakes, "bob")


@pytest.fixture
def operator(long, fakes):
    return join(long, fakes, "")


@pytest.mark.parametrize("n_bytes", [16, 2], ids=["the whole id", "its beginning"])
def test_anothers_text_is_answered_as_one_that_is_not_there(long, ann, bob, n_bytes):
    ann.hides_a_text_from(bob, long, n_bytes)


def test_a_higher_attempt_takes_nothing_from_another_owner(long, ann, bob):
    alone, _ = ann.text(ann.generate(n_tokens=40))
    with long.held():
        request = ann.begun(n_tokens=40)
        bob.begun(request, attempt=7, n_tokens=ENOUGH)      # it is his own first text of that id
        assert [one.attempt for one in ann.is_heard()] == [1]
        assert [one.attempt for one in bob.is_heard()] == [7]
        bob.ask("cancel", request=request)
        assert bob.done().reason == FINISH_CANCELLED
    text, done = ann.text(request)
    assert (text, done.reason, done.n_tokens) == (alone, FINISH_LENGTH, 40)


def test_a_session_is_its_owners(ann, bob):
    def n_cached(client):
        client.generate(session="talk", n_ids=300)
        return client.done().timings.n_cached
    assert n_cached(ann) == 0
    assert n_cached(bob) == 0
    assert n_cached(ann) > 0 and n_cached(bob) > 0


def test_an_operator_sees_and_changes_all(long, ann, bob, operator):
    with long.held():
        anns, bobs = ann.begun(n_tokens=ENOUGH), bob.begun(n_tokens=ENOUGH)
        listed = {one.request: one.owner for one in operator.is_heard()}
        assert listed == {anns: "name:ann", bobs: "name:bob"}
        shown = long.run("ps").stdout.decode()
        assert "owner" in shown and "name:ann" in shown and "name:bob" in shown
        assert {one["owner"] for one in long.lines("ps")[0]["requests"]} == {"name:ann", "name:bob"}
        assert [one["request"] for one in long.lines("ps", "--owner", "ann")[0]["requests"]] == [anns.hex()]
        ann.pause(anns)
        wait_until(lambda: [one.state for one in ann.is_heard()] == ["resting"], what="a text that rests")
        tune = operator.ask("tune", request=anns[:8], strategy=GREEDY)
        change = ann.answer("chunk")[0].change
        ann.acknowledge(anns, change.ordinal)
        assert operator.answer("tuned")[0].call == tune
        operator.ask("watch", request=bobs, n_candidates=1)
        assert operator.answer("watched")[0].request == bobs
        for request in anns, bobs:
            operator.ask("cancel", request=request)
            assert operator.answer("cancelled")[0].request == request
    assert ann.done().reason == bob.done().reason == FINISH_CANCELLED


def test_an_operators_own_comes_first(long, ann, operator):
    with long.held():
        request = ann.begun(n_tokens=ENOUGH)
        operator.begun(request, n_tokens=ENOUGH)
        operator.ask("cancel", request=request)
        assert operator.answer("cancelled")[0].request == request
        assert [one.request for one in ann.is_heard()] == [request]
        operator.ask("cancel", request=request)             # now the other one is the only one
        assert operator.answer("cancelled")[0].request == request
    assert ann.done().reason == FINISH_CANCELLED


def test_an_operator_who_names_an_owner_is_none(long, ann):
    """A gateway that passes on what its users ask drains nothing for them."""
    daemon, = [one for one in long.lines("status")[0]["daemons"] if one["role"] == "samplerd"]
    ann.ask("drain", name=daemon["name"], pid=daemon["pid"])
    error = ann.answer("failed")[0].error
    assert error.code == common_pb2.FORBIDDEN and "for operators" in error.message
    assert long.samplerd.poll() is None and len(long.daemons()) == 3


def test_one_connection_has_an_id_once(long, ann):
    with long.held():
        request = ann.begun(n_tokens=ENOUGH)
        ann.owner = "carl"
        ann.generate(request)
        error = ann.done().error
        assert error.code == common_pb2.BAD_REQUEST and "in another name" in error.message
        ann.owner = "ann"
        ann.ask("cancel", request=request)
        assert ann.done().reason == FINISH_CANCELLED


def test_a_name_that_is_none(ann):
    for name in "x" * 129, "a\nb":
        ann.owner = name
        ann.ask("list")
        error = ann.answer("failed")[0].error
        assert error.code == common_pb2.BAD_REQUEST and "owner" in error.message


# ---- the same ids ----

class Losing(Stack):
    """A stack that may lose its modeld."""

    def begin(self, *modeld):
        self.flags = {"modeld": ("--model", *modeld)}
        self.start_all(*modeld)
        return self

    def start_again(self, role):
        setattr(self, role, self.start(role, *self.flags[role]))


@pytest.fixture
def own(models):
    with Losing() as one:
        yield one.begin(models(type="Q8_0", seed=3, context=100000), "--step-deadline-ms", "60000")


PROMPT_IDS = {"ann": 20, "bob": 33}


def test_two_owners_write_texts_of_one_id_and_lose_their_modeld(own, fakes):
    """And watch them: each sees what its own text drew, and nothing else."""
    users = {name: join(own, fakes, name) for name in PROMPT_IDS}
    how = {name: {"n_tokens": 4000, "n_ids": n_ids, "wait_ms": 60000} for name, n_ids in PROMPT_IDS.items()}
    alone = {name: user.text(user.generate(**how[name]))[0] for name, user in users.items()}
    assert alone["ann"] != alone["bob"]
    watchers = {}

    def begin(request):
        with own.held():
            for name, user in users.items():
                user.begun(request, **how[name])
                watchers[name] = join(own, fakes, name)
                watchers[name].ask("watch", request=request, n_candidates=1)
                assert watchers[name].answer("watched")[0].n_prompt == PROMPT_IDS[name]
    request = lost_while_all_write(own, users.values(), "modeld", 0, begin)
    for name, user in users.items():
        text, done = user.text(request)
        assert (text, done.reason, done.n_tokens) == (alone[name], FINISH_LENGTH, 4000), name
        drawn = {chunk.step: chunk.drawn[0].id for chunk in user.chunks(request)}
        seen = {glimpse.step: glimpse.drawn.id for glimpse in glimpses_of(watchers[name])}
        assert seen and seen == {step: drawn[step] for step in seen}, name


def glimpses_of(watcher):
    """Until the text is over."""
    while not watcher.answer("watched")[0].over:
        pass
    return [message.glimpse for _, message, _ in watcher.seen if message.WhichOneof("body") == "glimpse"]


# ---- another user ----

@pytest.fixture
def open_house(models):
    """A tokenizerd that every user of the machine can reach."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    with Stack() as one:
        one.folder.chmod(0o755)
        clients = one.folder / "clients"
        one.endpoint = f"ipc://{clients}"
        one.start("tokenizerd", "--bind-clients", one.endpoint, "--bind-models", f"ipc://{one.folder}/models")
        one.start("modeld", "--model", models(type="Q8_0", seed=3, context=100000), "--join", f"ipc://{one.folder}/models",
                  "--bind-samplers", f"ipc://{one.folder}/samplers", "--step-deadline-ms", "60000", "--heartbeat-ms", "20000")
        one.samplerd = one.start("samplerd", "--join", f"ipc://{one.folder}/samplers")
        one.environment["TRIVIUM_ENDPOINT"] = one.endpoint
        wait_until(clients.exists, what="a socket")
        clients.chmod(0o777)
        one.wait_ready()
        yield one


def run_as(user, stack, *arguments, groups=()):
    return subprocess.run([stack.program("trivium"), *map(str, arguments)], env=stack.environment, user=user, group=user,
                          extra_groups=groups, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd="/")


def test_users_of_a_folder_s_group_come_in(stack):
    """As RUNNING.md shows it; others are told that this is why they do not."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    stack.folder.chmod(0o755)
    if run_as(NOBODY, stack, "--version").returncode != 0:
        pytest.skip("another user cannot run the programs where they lie")
    shared = stack.folder / "shared"
    shared.mkdir()
    os.chown(shared, 0, WRITERS)
    shared.chmod(0o2750)
    stack.environment["TRIVIUM_ENDPOINT"] = f"ipc://{shared}/clients"
    stack.start("tokenizerd", "--bind-clients", stack.environment["TRIVIUM_ENDPOINT"], umask=0o007)
    wait_until(lambda: stack.run("status", "--wait", "0").returncode == 0, what="tokenizerd")
    done = run_as(NOBODY, stack, "status", groups=[WRITERS])
    assert done.returncode == 0 and " 1 client, " in done.stdout, done
    told = [run_as(NOBODY, stack, "status", "--wait", "0").stderr]
    shared.chmod(0o755)
    told.append(run_as(NOBODY, stack, "status", "--wait", "0").stderr)      # the folder lets everybody in, its socket does not
    assert ["shared/clients: no permission to connect: " in one for one in told] == [True, True], told


def test_another_user_is_another_owner(open_house, fakes):
    if run_as(NOBODY, open_house, "--version").returncode != 0:
        pytest.skip("another user cannot run the programs where they lie")
    roots = fakes(AskingClient, open_house.endpoint)
    with open_house.held():
        request = roots.begun(n_tokens=ENOUGH)
        assert run_as(NOBODY, open_house, "ps").stdout == "nothing runs\n"
        for command in ("cancel",), ("tune", "--greedy"), ("watch",):
            done = run_as(NOBODY, open_house, command[0], request.hex(), *command[1:])
            assert done.returncode == 1 and "no running request begins with" in done.stderr, done
        done = run_as(NOBODY, open_house, "ps", "--owner", "somebody")
        assert done.returncode == 1 and "only a gateway" in done.stderr, done
        done = run_as(NOBODY, open_house, "generate", "Once", "--owner", "somebody")
        assert done.returncode == 1 and "only a gateway" in done.stderr, done
        with subprocess.Popen([open_house.program("trivium"), "generate", "Once", "--max-new-tokens", "4"], env=open_house.environment,
                              user=NOBODY, group=NOBODY, extra_groups=[], stdout=subprocess.DEVNULL, cwd="/") as theirs:
            listed = wait_until(lambda: len(open_house.lines("ps")[0]["requests"]) == 2 and open_house.lines("ps")[0]["requests"],
                                what="their text")
            assert {one.get("owner") for one in listed} == {None, f"uid:{NOBODY}"}
            roots.ask("cancel", request=request)
            assert roots.done().reason == FINISH_CANCELLED
            theirs_id, = [one["request"] for one in listed if "owner" in one]
            assert open_house.run("cancel", theirs_id).returncode == 0      # root may
            theirs.wait(timeout=60)
