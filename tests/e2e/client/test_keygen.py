"""`trivium keygen`: what it prints can be copied and pasted, and what it cannot do leaves the keys as they were."""
import fcntl
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess

import pytest

from conftest import BUILD


@pytest.fixture
def keygen(stack, tmp_path):
    """keygen(flag, …) in a folder of its own, where the set is `keys`: what it prints."""
    def run(*flags, code=0, **keywords):
        done = subprocess.run([BUILD / "trivium", "keygen", *flags], cwd=tmp_path, env=stack.environment, capture_output=True,
                              text=True, timeout=60, **keywords)
        assert done.returncode == code, (flags, done.stderr)
        assert (done.stderr == "") == (code == 0) and (code == 0 or done.stdout == "")
        return done.stdout if code == 0 else done.stderr
    return run


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines_to_copy(printed):
    return [shlex.split(line) for line in re.findall(r"^  (\w.*)$", printed, re.M)]


def copying(folder, host):
    """The line for a host: right where it has its part already, and where it has none."""
    return ["rsync", "-a", "--delete", f"{folder}/hosts/{host}/", f"{host}:keys/"]


def test_a_set_and_a_part_of_it(keygen, tmp_path):
    assert keygen("keys") == "keys: 13 files made, 0 changed, 0 removed\n"
    assert lines_to_copy(keygen("keys/", "--host", "b")) == [copying("keys", "b")]
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").rglob("*")}
    assert modes == {0o600, 0o700}
    assert keygen("keys") == "keys: all is there, nothing was changed\n"


def test_what_changed_elsewhere_is_copied_anew(keygen, tmp_path):
    keygen("keys", "--host", "a", "--host", "b")
    printed = keygen("keys", "--host", "it's", "--roles", "client", code=2)
    assert "letters, digits" in printed
    copies = lines_to_copy(keygen("keys", "--host", "laptop", "--roles", "client"))
    assert copies == [copying("keys", host) for host in ("laptop", "a", "b")]
    (tmp_path / "my keys").mkdir(mode=0o700)
    assert lines_to_copy(keygen("my keys", "--host", "b")) == [copying("my keys", "b")]


def test_flags_are_of_each_host_and_this_is_said(keygen, tmp_path):
    printed = keygen("keys", "--host", "b", "--roles", "client,samplerd", "--gateway", "--host", "c").splitlines()
    assert printed[1:3] == ["b: samplerd client gateway", "c: samplerd client gateway"]
    assert [path.name for host in "bc" for path in sorted((tmp_path / "keys/hosts" / host / "own").glob("*.key"))] == \
        2 * ["client.key", "samplerd.key"]
    assert "b:" not in keygen("keys", "--host", "b", "--host", "c").partition("copy")[0], "nothing was said of what they are to get"


def test_what_is_asked_for_no_more_is_kept_and_said(keygen):
    keygen("keys", "--host", "b", "--operator")
    printed = keygen("keys", "--host", "b", "--roles", "client,modeld")
    assert "all is there" in printed
    assert "b keeps what it had besides: tokenizerd samplerd operator; only --revoke b, and a new part" in printed
    done = json.loads(keygen("keys", "--host", "b", "--gateway", "--json"))
    assert done["kept"] == [{"host": "b", "roles": [], "rights": ["operator"]}]
    assert "besides" not in keygen("keys", "--host", "b", "--operator", "--gateway")


def test_as_json(keygen):
    done = json.loads(keygen("keys", "--host", "b", "--json"))
    assert done["folder"] == "keys" and "keys/hosts/b/own/client.key_secret" in done["made"]
    assert done["copy"] == [{"host": "b", "folder": "keys/hosts/b"}]
    assert (done["changed"], done["removed"], done["kept"], done["to_rotate"]) == ([], [], [], [])
    done = json.loads(keygen("keys", "--revoke", "b", "--json"))
    assert "keys/authorised/text/b.key" in done["removed"] and done["made"] == done["changed"] == done["copy"] == []
    assert done["to_rotate"] == ["tokenizerd", "modeld"]


def test_revoking_says_what_else_is_to_be_done(keygen, tmp_path):
    keygen("keys", "--host", "a", "--host", "b")
    printed = keygen("keys", "--revoke", "b")
    assert lines_to_copy(printed) == [copying("keys", "a")]
    assert "--rotate tokenizerd" in printed and "--rotate modeld" in printed
    assert not (tmp_path / "keys/hosts/b").exists()
    assert copying("keys", "b") in lines_to_copy(keygen("keys", "--host", "b")), "b has a folder already"


def test_a_rotation_has_two_steps(keygen, tmp_path):
    keygen("keys", "--host", "laptop", "--roles", "client")
    keygen("keys", "--host", "b")
    printed = keygen("keys", "--rotate", "tokenizerd")
    assert "The same command again puts it in place, but only once every host has its copy" in printed and len(lines_to_copy(printed)) == 2
    assert (tmp_path / "keys/hosts/laptop/server/tokenizerd.next.key").exists()
    printed = keygen("keys", "--rotate", "tokenizerd")
    assert "has its new server key" in printed
    assert [line[-1] for line in lines_to_copy(printed)] == ["b:keys/", "laptop:keys/"], "who has the secret comes first"


@pytest.mark.parametrize("flags, word", [
    ((), "a folder for the keys is missing"),
    (("",), "a folder for the keys is missing"),
    (("keys", "--host", "a/b"), "--host: a name"),
    (("keys", "--host", "admin"), "--host: admin is the name"),
    (("keys", "--revoke", "../b"), "--revoke: a name"),
    (("keys", "--host", "b", "--roles", "king"), '"king"'),
    (("keys", "--host", "b", "--roles", "client,"), "commas between"),
    (("keys", "--roles", "client"), "of a --host"),
    (("keys", "--operator"), "of a --host"),
    (("keys", "--rotate", "client"), "tokenizerd and modeld"),
    (("keys", "--host", "b", "--revoke", "b"), "a command of their own"),
    (("keys", "--host", "b", "--roles", "tokenizerd", "--host", "laptop", "--roles", "client"), "--roles is given twice"),
    (("keys", "--rotate", "tokenizerd", "--rotate", "modeld"), "--rotate is given twice"),
])
def test_wrong_use(keygen, tmp_path, flags, word):
    assert word in keygen(*flags, code=2)
    assert list(tmp_path.iterdir()) == []


def test_who_is_not_there_cannot_be_revoked(keygen):
    assert "no keys of the name b" in keygen("keys", "--revoke", "b", code=1)


def test_a_folder_that_others_may_write(keygen, tmp_path):
    (tmp_path / "keys").mkdir()
    os.chmod(tmp_path / "keys", 0o777)
    assert "others may write keys: chmod go-w keys" in keygen("keys", code=1)
    assert files(tmp_path / "keys") == {}


def test_a_set_that_is_half_there(keygen, tmp_path):
    keygen("keys")
    (tmp_path / "keys/server/modeld.key_secret").unlink()
    before = files(tmp_path / "keys")
    assert "without its secret half" in keygen("keys", "--host", "b", code=1)
    assert files(tmp_path / "keys") == before


def test_a_full_disk(keygen, tmp_path):
    keygen("keys")
    before = files(tmp_path / "keys")

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
    assert "cannot write keys/" in keygen("keys", "--host", "b", code=1, preexec_fn=fill)
    left = files(tmp_path / "keys")
    assert left == before, "nothing is half there"
    assert lines_to_copy(keygen("keys", "--host", "b")) == [copying("keys", "b")]


def test_two_at_a_time(keygen, tmp_path):
    keygen("keys")
    lock = open(tmp_path / "keys/.lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert "held by another process" in keygen("keys", code=1)
    lock.close()
    keygen("keys")


def test_it_does_not_follow_what_lies_in_the_way(keygen, tmp_path):
    """A file where a folder is wanted, and a link that leads nowhere in place of a key."""
    (tmp_path / "keys").write_text("")
    assert "not a folder" in keygen("keys", code=1)
    (tmp_path / "keys").unlink()
    keygen("keys")
    shutil.rmtree(tmp_path / "keys/authorised/text")
    (tmp_path / "keys/authorised/text").write_text("")
    assert "not a folder" in keygen("keys", code=1)
