"""Daemons that are told to end: what they have goes on to its end, or elsewhere from where it is, and the bytes are the same."""
import re
import signal

import pytest

from conftest import Stack, wait_until
from kills.models import MADE_SHAPE

TEXT = ("hello", "--seed", "1", "--max-new-tokens", "300", "--ignore-eos")
SHORT = ("hello", "--seed", "1", "--max-new-tokens", "5", "--ignore-eos")


@pytest.fixture(scope="module")
def model(models):
    return models(**MADE_SHAPE)


@pytest.fixture(scope="module")
def undisturbed(model):
    with Stack() as other:
        other.start_all(model)
        return other.text(*TEXT)


class Pairs(Stack):
    """Two of each. Clients know both tokenizerds, modelds join both, samplerds join both modelds."""

    def begin(self, model, drain_s=60):
        self.at = {name: [f"ipc://{self.folder}/{name}{i}" for i in range(2)] for name in ("clients", "models", "samplers")}
        self.reach = [word for one in self.at["clients"] for word in ("--endpoint", one)]
        self.of_role = {"tokenizerd": [], "modeld": [], "samplerd": []}
        self.model_file, self.drain_s = model, drain_s
        for role in self.of_role:
            for i in range(2):
                self.of_role[role].append(self.begin_one(role, i))
        self.wait_ready(5)
        return self

    def joins(self, name):
        return [word for one in self.at[name] for word in ("--join", one)]

    def begin_one(self, role, i):
        flags = {"tokenizerd": ("--bind-clients", self.at["clients"][i], "--bind-models", self.at["models"][i]),
                 "modeld": ("--model", self.model_file, "--name", "made", *self.joins("models"), "--bind-samplers",
                            self.at["samplers"][i]),
                 "samplerd": self.joins("samplers")}[role]
        return self.start(role, *flags, "--drain", self.drain_s, *(("--name", f"{role}{i}") if role != "modeld" else ()))

    def run(self, *arguments, **keywords):
        return super().run(*arguments, *self.reach, **keywords)

    def writes(self, *arguments):
        """A text that has begun, and where the test itself stood still may be over."""
        text = self.popen("generate", *arguments, *self.reach)
        wait_until(lambda: text.poll() is not None or any(r["step"] > 3 for r in self.lines("ps")[0]["requests"]),
                   what="a text that has begun")
        return text

    def busy(self, role):
        """Which of the two has the text: of tokenizerds the one that clients ask first."""
        if role == "tokenizerd":
            return self.of_role[role][0]
        loads = {d["pid"]: d["outstanding"] for d in self.daemons() if d["role"] == role}
        return next((process for process in self.of_role[role] if loads.get(process.pid)), self.of_role[role][0])


@pytest.fixture
def pairs(model):
    with Pairs() as one:
        yield one.begin(model)


def is_whole(text, undisturbed):
    told, errors = text.communicate(timeout=100)
    assert (text.returncode, told) == (0, undisturbed), errors
    return errors


@pytest.mark.parametrize("role", ["tokenizerd", "modeld", "samplerd"])
def test_what_runs_goes_on_and_what_is_new_goes_elsewhere(pairs, undisturbed, role):
    text = pairs.writes(*TEXT)
    one = pairs.busy(role)
    one.send_signal(signal.SIGTERM)
    wait_until(lambda: " draining asked_by=\"SIGTERM\"" in pairs.log(one), what="a daemon that drains")
    assert pairs.run("generate", *SHORT).returncode == 0
    is_whole(text, undisturbed)
    assert one.wait(timeout=60) == 0 and " drained rest=none" in pairs.log(one), pairs.log(one)
    assert pairs.run("generate", *SHORT).returncode == 0


@pytest.mark.parametrize("role", ["tokenizerd", "modeld"])
@pytest.mark.parametrize("how", ["patience", "again", "interrupt", "both"])
def test_what_is_left_goes_on_elsewhere(model, undisturbed, role, how):
    """Nothing is drawn meanwhile, so that it cannot end before. Of two signals at once neither is lost."""
    with Pairs() as pairs:
        pairs.begin(model, drain_s=1 if how == "patience" else 600)
        text = pairs.writes(*TEXT)
        one = pairs.busy(role)
        for samplerd in pairs.of_role["samplerd"]:
            samplerd.send_signal(signal.SIGSTOP)
        one.send_signal(signal.SIGTERM)
        if how != "both":
            wait_until(lambda: " draining " in pairs.log(one), what="a daemon that drains")
        if how != "patience":
            one.send_signal(signal.SIGTERM if how == "again" else signal.SIGINT)
        assert one.wait(timeout=60) == 0, pairs.log(one)
        assert (" drained rest=handed_over" in pairs.log(one)) == (how == "patience"), pairs.log(one)
        for samplerd in pairs.of_role["samplerd"]:
            samplerd.send_signal(signal.SIGCONT)
        is_whole(text, undisturbed)


def test_without_patience_it_ends_at_once(undisturbed, model):
    with Pairs() as hasty:
        hasty.begin(model, drain_s=0)
        text = hasty.writes(*TEXT)
        one = hasty.busy("modeld")
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=60) == 0
        is_whole(text, undisturbed)


def test_whoever_has_nothing_under_way_ends_at_once(pairs):
    for role in ("samplerd", "modeld", "tokenizerd"):
        one = pairs.of_role[role][0]
        one.send_signal(signal.SIGTERM)
        assert one.wait(timeout=50) == 0 and " drained rest=none" in pairs.log(one)


def test_one_that_is_killed_while_it_drains_loses_nothing(pairs, undisturbed):
    text = pairs.writes(*TEXT)
    one = pairs.busy("modeld")
    for samplerd in pairs.of_role["samplerd"]:
        samplerd.send_signal(signal.SIGSTOP)
    order = pairs.popen("drain", "made", "--pid", one.pid, *pairs.reach)
    wait_until(lambda: " draining asked_by=\"an operator\"" in pairs.log(one), what="a modeld that drains")
    pairs.kill(one)
    assert order.wait(timeout=60) == 1 and b"made was lost before it had drained" in order.stderr.read()
    for samplerd in pairs.of_role["samplerd"]:
        samplerd.send_signal(signal.SIGCONT)
    is_whole(text, undisturbed)


# trivium drain

@pytest.mark.parametrize("role", ["tokenizerd", "modeld", "samplerd"])
def test_an_operator_drains_one_and_no_token_is_lost(pairs, undisturbed, role):
    text = pairs.writes(*TEXT)
    one = pairs.busy(role)
    name = "made" if role == "modeld" else f"{role}{pairs.of_role[role].index(one)}"
    told = pairs.lines("drain", name, "--pid", one.pid, timeout=100)[0]
    assert one.poll() == 0 and (told["role"], told["name"], told["pid"]) == (role, name, one.pid)
    assert told["handed_over"] == 0 and told["texts"] <= 1
    is_whole(text, undisturbed)


def test_names_that_mean_none_or_several(pairs):
    assert "no such daemon as nobody" in pairs.refused("drain", "nobody")
    assert "2 daemons are called made: --pid" in pairs.refused("drain", "made")
    assert "no such daemon as made" in pairs.refused("drain", "made", "--pid", pairs.of_role["samplerd"][0].pid)
    assert "no such daemon as made on host elsewhere is here" in pairs.refused("drain", "made", "--host", "elsewhere")
    for nothing in ((), ("",)):
        assert "NAME is missing" in pairs.refused("drain", *nothing, code=2)


def test_of_several_tokenizerds_each_is_asked(stack, model):
    """The first knows none of that name; one that is not there is passed over, and told of where nobody knows it."""
    places = [f"ipc://{stack.folder}/{name}" for name in ("first", "absent", "last")]
    for place in places[::2]:
        stack.start("tokenizerd", "--bind-clients", place, "--bind-models", place + "-models")
    modeld = stack.start("modeld", "--model", model, "--name", "made", "--join", places[2] + "-models")
    there = [flag for place in places for flag in ("--endpoint", place)]
    wait_until(lambda: " joined " in stack.log(modeld), what="modeld")
    assert "no tokenizerd answers at " + places[1] in stack.refused("drain", "nobody", *there, "--wait", "2")
    assert "no such daemon as nobody is here" in stack.refused("drain", "nobody", *there[:2], *there[4:])
    assert stack.lines("drain", "made", "--pid", modeld.pid, *there, "--wait", "2")[0]["pid"] == modeld.pid
    assert modeld.wait(timeout=60) == 0


def test_the_only_modeld(stack, model, undisturbed):
    stack.start_all(model)
    text = stack.popen("generate", *TEXT)
    stack.running(3)
    with stack.held():
        order = stack.popen("drain", stack.model()["name"])
        wait_until(lambda: " draining " in stack.log(stack.modeld), what="a modeld that drains")
        assert "is draining and takes nothing new" in stack.refused("generate", *SHORT, "--wait", "1")
        assert "not ready: the modeld of" in stack.refused("status", "--ready")
    is_whole(text, undisturbed)
    told, _ = order.communicate(timeout=60)
    assert order.returncode == 0 and told.endswith(b": 1 text ended there\n") and stack.modeld.poll() == 0
    later = stack.popen("generate", *TEXT, "--wait", "60")
    stack.start("modeld", "--model", model)
    is_whole(later, undisturbed)


@pytest.mark.parametrize("role", ["tokenizerd", "samplerd"])
def test_what_drains_is_not_ready(stack, model, role):
    """It has a text to end."""
    stack.start_all(model)
    text = stack.popen("generate", "hello", "--max-new-tokens", "6000", "--ignore-eos")
    stack.running(3)
    getattr(stack, role).send_signal(signal.SIGTERM)
    wait_until(lambda: any((d["role"], d["state"]) == (role, "draining") for d in stack.daemons()), what="a daemon that drains")
    sentence = stack.refused("status", "--ready")
    assert f"not ready: the {role}" in sentence and "is draining" in sentence
    assert text.poll() is None and stack.run("status", "--live").returncode == 0


def over_tcp(stack, model):
    """Without keys nobody is an operator there. Where modelds join."""
    tokenizerd = stack.start("tokenizerd", "--bind-clients", "tcp://127.0.0.1:*", "--bind-models", "tcp://127.0.0.1:*", "--insecure")
    ready = wait_until(lambda: re.search(r" ready clients=(\S+) models=(\S+)", stack.log(tokenizerd)), what="tokenizerd")
    stack.environment["TRIVIUM_ENDPOINT"], stack.client_flags = ready[1], ("--insecure",)
    stack.start("modeld", "--model", model, "--name", "made", "--join", ready[2], "--insecure")
    stack.start("samplerd")
    stack.wait_ready(3)
    return ready[2]


def test_whoever_is_no_operator_drains_nothing(stack, model):
    over_tcp(stack, model)
    for name in ("tokenizerd", "samplerd", "made"):
        assert "to drain a daemon is for operators" in stack.refused("drain", name)
    assert len(stack.daemons()) == 3 and {daemon["state"] for daemon in stack.daemons()} == {"ready"}


# modeld --replace

def fingerprint_of(stack):
    return [(m["name"], m["fingerprint"], m["loads"]) for m in stack.lines("status")[0]["models"]]


@pytest.fixture(scope="module")
def other_model(models):
    return models(**{**MADE_SHAPE, "seed": 4})


@pytest.fixture
def other_text(other_model):
    with Stack() as other:
        other.start_all(other_model)
        return other.text(*SHORT)


def start_made(stack, model):
    """A stack whose modeld is called `made`; its samplerd joins the next one, too, for which another one waits. That modeld,
    and where the next one is to bind."""
    stack.start("tokenizerd")
    modeld = stack.start("modeld", "--model", model, "--name", "made")
    samplers = f"ipc://{stack.folder}/samplers"
    stack.samplerd = stack.start("samplerd", "--join", f"ipc://{stack.runtime}/samplers", "--join", samplers)
    stack.wait_ready(3)
    stack.start("samplerd", "--join", samplers)
    return modeld, samplers


def test_another_file_under_a_name_in_use(stack, model, other_model, undisturbed, other_text):
    old, samplers = start_made(stack, model)
    flags = ("--model", other_model, "--name", "made", "--bind-samplers", samplers)
    refused = stack.start("modeld", *flags)
    assert refused.wait(timeout=60) == 1 and "is taken by a model with another fingerprint" in stack.log(refused)
    text = stack.popen("generate", *TEXT)
    stack.running(3)
    with stack.held():
        new = stack.start("modeld", *flags, "--replace")
        wait_until(lambda: " draining asked_by=\"whoever replaces it\"" in stack.log(old), what="an old modeld that drains")
        shown = stack.lines("status")[0]["models"]
        assert [(m["name"], m["default"]) for m in shown] == [("made", True), ("made", False)]
    assert stack.text(*SHORT) == other_text
    assert shown[0]["fingerprint"] == fingerprint_of(stack)[0][1]
    is_whole(text, undisturbed)
    assert old.wait(timeout=60) == 0 and " drained rest=none" in stack.log(old)
    assert stack.text(*SHORT) == other_text and new.poll() is None
    assert [loads for _, _, loads in fingerprint_of(stack)] == [1]


def test_one_without_a_samplerd_waits_for_it_and_nobody_else_does(stack, model, other_model, other_text):
    with Stack() as before:
        before.start_all(model)
        old_text = before.text(*SHORT)
    start_made(stack, model)
    place = f"ipc://{stack.folder}/of-its-own"
    stack.start("modeld", "--model", other_model, "--name", "made", "--bind-samplers", place, "--replace")
    wait_until(lambda: len(fingerprint_of(stack)) == 2, what="both models")
    assert stack.text(*SHORT) == old_text
    stack.start("samplerd", "--join", place)
    wait_until(lambda: len(fingerprint_of(stack)) == 1, what="one model")
    assert stack.text(*SHORT) == other_text


def test_one_is_replaced_that_drains_already(stack, model, other_model, undisturbed, other_text):
    old, samplers = start_made(stack, model)
    text = stack.popen("generate", *TEXT)
    stack.running(3)
    with stack.held():
        old.send_signal(signal.SIGTERM)
        wait_until(lambda: " draining " in stack.log(old), what="an old modeld that drains")
        stack.start("modeld", "--model", other_model, "--name", "made", "--bind-samplers", samplers, "--replace")
        wait_until(lambda: len(fingerprint_of(stack)) == 2, what="both models")
    is_whole(text, undisturbed)
    assert stack.text(*SHORT) == other_text
    assert old.wait(timeout=60) == 0


def test_whoever_is_no_operator_replaces_nothing(stack, model, other_model):
    place = over_tcp(stack, model)
    other = stack.start("modeld", "--model", other_model, "--name", "made", "--replace", "--insecure", "--join", place,
                        "--bind-samplers", f"ipc://{stack.folder}/samplers")
    assert other.wait(timeout=60) == 1 and "to replace a model is for operators" in stack.log(other)
    assert len(stack.daemons()) == 3


# probes

def test_probes(stack, model):
    assert "no tokenizerd answers" in stack.refused("status", "--live")
    assert "no tokenizerd answers" in stack.refused("status", "--ready")
    stack.start("tokenizerd")
    wait_until(lambda: stack.run("status", "--live").returncode == 0, what="tokenizerd")
    assert "not ready: no modeld has joined" in stack.refused("status", "--ready")
    waiting = stack.popen("status", "--ready", "--wait", "60")
    assert "not ready: no modeld has joined" in stack.refused_soon("status", "--ready", "--wait", "0.3")
    modeld = stack.start("modeld", "--model", model, "--name", "made")
    wait_until(lambda: "not ready: no samplerd of 'made' is here" in stack.refused("status", "--ready"), what="modeld")
    assert waiting.poll() is None
    stack.start("samplerd")
    wait_until(lambda: stack.run("status", "--ready").returncode == 0, what="samplerd")
    assert waiting.communicate(timeout=60)[0] == b"ready\n" and waiting.returncode == 0
    assert stack.run("status", "--ready").stdout == b"ready\n" and stack.run("status", "--live").stdout == b"live\n"
    assert stack.lines("status", "--ready", "--model", "made") == [{"ready": True}]
    assert "not ready: no modeld of 'other' is here" in stack.refused("status", "--ready", "--model", "other")
    told = stack.run("status", "--ready", "--model", "other", "--json")
    assert told.returncode == 1 and b'"ready":false' in told.stdout
    stack.stop(modeld)
    wait_until(lambda: "not ready: no modeld of 'made' is here" in stack.refused("status", "--ready"), what="its end")
    for wrong in (("--live", "--ready"), ("--model", "made")):
        stack.refused("status", *wrong, code=2)
