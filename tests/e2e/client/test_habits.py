"""What somebody types out of habit, or wrongly: help and version everywhere, and a sentence that says what was meant."""
import re
import subprocess

import pytest

from conftest import BUILD
from programs import all_of_them, help_of


def run(*words):
    done = subprocess.run([BUILD / words[0], *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("words", all_of_them(), ids="-".join)
def test_help_and_version_everywhere(words):
    assert run(*words, "-h") == (0, help_of(*words), "")
    version = run("trivium", "--version")[1]
    assert re.fullmatch(r"trivium [0-9.]+ \(protocol [0-9]+\)\n", version)
    assert run(*words, "--version") == (0, version.replace("trivium", words[0]), "")
    if words[0] == "trivium" and len(words) > 1:
        assert run("trivium", "help", *words[1:]) == (0, help_of(*words), "")


def test_help_of_the_whole():
    assert run("trivium", "help") == run("trivium", "help", "help") == (0, help_of("trivium"), "")


@pytest.mark.parametrize("line, meant", [
    ("trivium generat", "there is no command generat: did you mean generate?"),
    ("trivium hlep", "there is no command hlep: did you mean help?"),
    ("trivium help cancle", "there is no command cancle: did you mean cancel?"),
    ("trivium run", "there is no command run: did you mean chat?"),
    ("trivium version", "there is no command version: did you mean --version?"),
    ("trivium bench kvcache", "there is no bench kvcache: did you mean kv-cache?"),
    ("trivium explore temprature", "there is no explorer temprature: did you mean temperature?"),
    ("trivium --json ps", "there is no command --json: flags stand after the command, as in trivium ps --json"),
    ("trivium generate x --temprature 0.5", "unknown flag --temprature: did you mean --temperature?"),
    ("trivium generate x -model y", "unknown flag -model: did you mean --model?"),
    ("trivium explore --versoin", "unknown flag --versoin: did you mean --version?"),
    ("modeld --modle x", "unknown flag --modle: did you mean --model?"),
])
def test_a_mistyped_word_is_told_the_nearest(line, meant):
    assert run(*line.split()) == (2, "", f"{line.split()[0]}: {meant}\n")


def test_a_word_near_to_nothing_is_told_all():
    code, out, sentence = run("trivium", "conjure")
    assert (code, out) == (2, "") and "the commands are generate, chat, " in sentence


@pytest.mark.parametrize("flag", (("--temperature", "0"), ("--chain", '[{"temperature": 0}]')), ids=lambda flag: flag[0])
@pytest.mark.parametrize("command", ("generate", "chat", "tune", "probe"))
def test_temperature_zero_names_greedy(command, flag):
    code, out, sentence = run("trivium", command, *flag)
    assert (code, out) == (2, "")
    assert sentence == ("trivium: temperature must be above 0: to take the likeliest token at each step, "
                        "use greedy instead (--greedy)\n")


@pytest.mark.parametrize("chain, sentence", [
    ('[{"temperature": 0}]', "temperature must be above 0: to take the likeliest token at each step, "
                             "use greedy instead (--greedy)"),
    ('[{"temprature": 1}]', "there is no step named temprature: did you mean temperature?"),
    ('[{"xtc": {"probabilty": 0.5, "threshold": 0.1}}]', "xtc has no key probabilty: did you mean probability?"),
])
def test_a_chain_in_json_is_told_the_same(chain, sentence):
    for command in ("generate", "tune"):
        assert run("trivium", command, "--chain", chain) == (2, "", f"trivium: {sentence}\n")


@pytest.mark.parametrize("prompt", ("- one", "-5 degrees", "--- a title ---"))
@pytest.mark.parametrize("command", ("generate", "tokenize", "score"))
def test_a_text_that_begins_with_a_hyphen_is_explained(command, prompt):
    code, out, sentence = run("trivium", command, prompt)
    assert (code, out) == (2, "")
    assert sentence == (f"trivium: unknown flag {prompt}: see --help; before a text that begins with a hyphen "
                        "write --, after all flags\n")


def test_a_text_that_begins_with_a_hyphen(tiny):
    done = tiny.run("tokenize", "--json", "--", "- one")
    assert (done.returncode, done.stdout) == (0, tiny.run("tokenize", "--json", "-", input=b"- one").stdout)


def test_letters(tiny):
    long = tiny.text("One two three", "--greedy", "--ignore-eos", "--max-new-tokens", "5", "--model", tiny.model()["name"])
    for letters in (["-n", "5", "-m", tiny.model()["name"]], ["-n5", f"-m={tiny.model()['name']}"]):
        assert tiny.text("One two three", "--greedy", "--ignore-eos", *letters) == long
