"""Every command that the README shows in a console block does what it says, in the order in which it stands there."""
import os
import re
import subprocess

import pytest

from conftest import BUILD, ROOT


def console_commands(text):
    blocks = re.findall(r"```console\n(.*?)```", text, re.S)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


def check_the_ban(printed):
    """The text changes as the sentence before the two commands says."""
    banned = next(command for command in printed if "--logit-bias 216=-inf" in command)
    plain = printed[banned.replace(" --logit-bias 216=-inf", "")]
    assert plain.startswith(" 2022") and not printed[banned].startswith(" 2")
    assert "rain" in printed[banned]


def check_the_capital(printed):
    """A line's newline is no part of the prompt."""
    text, = (out for command, out in printed.items() if command.startswith('echo "The capital'))
    assert text.startswith(" Paris.\n\nThe United"), text


def check_the_session(printed):
    """They print what the sentence after them says."""
    shown = re.findall(r'"n_cached":\d+', (ROOT / "README.md").read_text().split("print `", 1)[1])[:2]
    found = [out.strip() for command, out in printed.items() if "--session" in command]
    assert found == shown and shown[0] == '"n_cached":0'


def test_readme_commands(real_model, stack):
    environment = dict(stack.environment, MODEL=str(real_model), PATH=f"{BUILD}:{os.environ['PATH']}")
    commands = console_commands((ROOT / "README.md").read_text())
    assert len(commands) > 10 and commands[-1] == "trivium down"
    printed = {}
    for command in commands:
        patient = command.replace("trivium up", "trivium up --wait 60")
        done = subprocess.run(["bash", "-c", patient], cwd=ROOT, env=environment, capture_output=True, timeout=120)
        assert done.returncode == 0, (command, done.stderr.decode())
        assert done.stdout.strip(), command
        printed[command] = done.stdout.decode()
    check_the_ban(printed)
    check_the_capital(printed)
    check_the_session(printed)


def test_readme_names_files_that_exist():
    text = (ROOT / "README.md").read_text()
    for name in re.findall(r"`((?:client|proto|tokenizerd|modeld|samplerd)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name


def test_readme_names_the_environment_of_the_programs():
    table = (ROOT / "README.md").read_text().split("\n### Environment\n\n")[1].split("\n\n")[0]
    sources = [path.read_text() for folder in ("client", "proto", "tokenizerd", "modeld", "samplerd")
               for path in (ROOT / folder).glob("**/*.c")]
    sources += [path.read_text() for path in (ROOT / "deploy").glob("*.sh")]
    read = {name for text in sources for name in re.findall(r'(?:getenv\("|\$\{)(TRIVIUM_\w+)', text)}
    assert {"TRIVIUM_MODEL", "TRIVIUM_CACHE"} <= read == set(re.findall(r"^\| `(TRIVIUM_\w+)`", table, re.M))


def test_the_way_of_a_token_names_files_that_exist():
    """Its items name files within the folder that is named first, or beside the one before."""
    walk = (ROOT / "README.md").read_text().split("## One token, file by file")[1].split("\n## ")[0]
    folder = beside = ROOT
    for name in re.findall(r"`([\w./]+)`", walk.split("\n1. ")[1].split("\n\n")[0]):
        if (ROOT / name).is_dir() and "/" not in name:
            folder = ROOT / name
            continue
        places = [place / name for place in (ROOT, folder, beside) if (place / name).exists()]
        assert places or name == "work", name
        if places:
            beside = places[0] if places[0].is_dir() else places[0].parent


def test_readme_probe_output(tiny):
    shown = re.search(r"prints\n\n((?:    .*\n)+)", (ROOT / "README.md").read_text()).group(1)
    done = tiny.run("probe", "--logits", "5,3,2,1,0.5", "--labels", "sunny,cloudy,rainy,windy,foggy", "--temperature", "0.5")
    ours = done.stdout.decode()     # on a busy machine stderr may say what is waited for
    assert [line.strip() for line in shown.splitlines()] == [line.strip() for line in ours.splitlines()]


@pytest.mark.slow
def test_make_run_writes_a_text(real_model):
    environment = dict(os.environ, TRIVIUM_MODEL=str(real_model))
    done = subprocess.run(["deploy/run.sh", str(BUILD)], cwd=ROOT, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode() + done.stderr.decode()
    assert "Once upon a time" in text and "60 tokens" in text and "tok/s" in text
