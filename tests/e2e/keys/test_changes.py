"""A folder of keys that changes while daemons run."""
import os
import shutil
import subprocess

from conftest import TIMEOUT_S, caught_running, wait_until
from guarded import LONG, guarded  # noqa: F401 (a fixture)
from key_sets import Pair


def begun(stack, *flags):
    """A text that is being written, and its first byte."""
    return caught_running(lambda: (text := stack.popen("generate", "hello", *LONG, *flags, bufsize=0), text.stdout.read(1)))


def test_a_key_that_is_added_is_let_in(guarded):  # noqa: F811
    flags = guarded.client("late", authorised=False)
    guarded.refused("status", "--wait", "1", *flags)
    late = guarded.popen("status", "--wait", "60", *flags)
    guarded.keys.authorise("text", "late", Pair())              # somebody else's
    pair_text = (guarded.folder / "late" / "own" / "client.key").read_text()
    guarded.keys.authorised("text", "late").write_text(pair_text)       # not in one step, as scp writes
    assert late.wait(TIMEOUT_S) == 0


def test_a_revoked_clients_text_ends_and_others_go_on(guarded):  # noqa: F811
    alone = guarded.text("hello", *LONG)
    leaver, stayer = guarded.client("leaver"), guarded.client("stayer")
    for flags in (leaver, stayer):
        wait_until(lambda: guarded.run("status", "--wait", "1", *flags).returncode == 0, what="an authorised client")
    ending, _ = begun(guarded, "--wait", "2", *leaver)
    staying, first = begun(guarded, *stayer)
    guarded.keys.revoke("text", "leaver")
    guarded.said(guarded.tokenizerd, r'client_left .*(its key is authorised no longer)')
    guarded.said(guarded.tokenizerd, r'(key_revoked) link=text .*key="leaver"')
    assert ending.wait(TIMEOUT_S) == 1
    assert b"no tokenizerd answers" in ending.stderr.read()
    rest, errors = staying.communicate(timeout=TIMEOUT_S)
    assert staying.returncode == 0 and first + rest == alone, errors
    wait_until(lambda: guarded.lines("ps")[0]["requests"] == [], what="the end of both texts")


def test_a_revoked_modeld_is_lost(guarded):  # noqa: F811
    guarded.keys.revoke("tokens", "admin")
    guarded.said(guarded.tokenizerd, r'(modeld_joined) name="m" pid=\d+ host="\S+" key="admin" ')
    guarded.said(guarded.tokenizerd, r'modeld_left name="m" pid=\d+ host="\S+" key="admin" why="(its key is authorised no longer)')
    assert "nobody_authorised link=tokens" in guarded.log(guarded.tokenizerd)
    guarded.refused("generate", "hello", "--wait", "1")
    guarded.keys.authorise("tokens", "admin", guarded.keys.own["modeld"])
    guarded.wait_ready()
    guarded.serves()


def test_a_folder_that_cannot_be_read_lets_nobody_new_in(guarded):  # noqa: F811
    folder, away = guarded.keys.folder / "authorised" / "text", guarded.folder / "away"
    alone = guarded.text("hello", *LONG)
    staying, first = begun(guarded)
    shutil.move(folder, away)
    guarded.said(guarded.tokenizerd, r"(keys_unreadable) link=text")
    guarded.refused("status", "--wait", "1")
    rest, errors = staying.communicate(timeout=TIMEOUT_S)
    assert staying.returncode == 0 and first + rest == alone, errors
    assert guarded.log(guarded.tokenizerd).count("keys_unreadable") == 1
    shutil.move(away, folder)
    assert guarded.run("status", "--wait", "20").returncode == 0


def test_a_whole_folder_takes_the_place_of_another(guarded):  # noqa: F811
    """As the page has it for hosts without rsync: what comes is copied beside it and moved, and between both there is none."""
    keys, new = guarded.keys.folder, guarded.folder / "keys.new"
    alone = guarded.text("hello", *LONG)
    guarded.let_in("leaver")
    late = guarded.client("late", authorised=False)
    staying, first = begun(guarded)
    shutil.copytree(keys, new)
    (new / "authorised" / "text" / "leaver.key").unlink()
    shutil.copy(guarded.folder / "late" / "own" / "client.key", new / "authorised" / "text" / "late.key")
    keys.rename(guarded.folder / "keys.old")
    guarded.said(guarded.tokenizerd, r"(keys_unreadable) link=text")
    new.rename(keys)
    wait_until(lambda: guarded.run("status", "--wait", "1", *late).returncode == 0, what="a client that is authorised by now")
    guarded.refused("status", "--wait", "1", "--keys", guarded.folder / "leaver")
    rest, errors = staying.communicate(timeout=TIMEOUT_S)
    assert staying.returncode == 0 and first + rest == alone, errors
    assert guarded.modeld.poll() is None and " left " not in guarded.log(guarded.modeld)


def test_a_key_that_is_spoilt_lets_nobody_new_in(guarded):  # noqa: F811
    """Who is in stays: a file may be half written for a moment."""
    alone = guarded.text("hello", *LONG)
    staying, first = begun(guarded)
    file = guarded.keys.authorised("text", "admin")
    whole = file.read_text()
    file.write_text("curve\n    public-key = \"half of")
    guarded.said(guarded.tokenizerd, r"(key_unreadable)")
    guarded.refused("status", "--wait", "1")
    rest, errors = staying.communicate(timeout=TIMEOUT_S)
    assert staying.returncode == 0 and first + rest == alone, errors
    assert guarded.log(guarded.tokenizerd).count("key_unreadable") == 1
    file.write_text(whole)
    assert guarded.run("status", "--wait", "20").returncode == 0


def test_what_is_no_key_holds_nobody_up(guarded):  # noqa: F811
    """Things that are no files, and more files that are no keys than the log names."""
    folder = guarded.keys.folder / "authorised" / "text"
    os.mkfifo(folder / "pipe.key", 0o600)
    (folder / "folder.key").mkdir(mode=0o700)
    (folder / "device.key").symlink_to("/dev/zero")
    for n in range(50):
        (folder / f"spoilt{n}.key").write_text("nothing")
    late = guarded.client("late")
    guarded.said(guarded.tokenizerd, r"(key_unreadable) others=\d+ folder=\"/")
    assert guarded.run("status", "--wait", "20", *late).returncode == 0
    guarded.serves()
    assert guarded.log(guarded.tokenizerd).count("key_unreadable why=") == 8


# a new server key

def change(keys, role):
    """As it is changed: joiners learn the next one first, then the servers have it, and then it is the only one."""
    folder, pair = keys.folder / "server", Pair()
    pair.save(folder / f"{role}.next.key", secret=False)
    pair.save(folder / f"{role}.key")
    (folder / f"{role}.next.key").unlink()
    keys.servers[role] = pair


def test_server_keys_change_while_texts_are_written(guarded):  # noqa: F811
    alone = guarded.text("hello", *LONG)
    for role, daemon in (("tokenizerd", guarded.tokenizerd), ("modeld", guarded.modeld)):
        texts = [begun(guarded, "--wait", "60") for _ in range(3)]
        change(guarded.keys, role)
        guarded.said(daemon, r"(server_key_changed)")
        for text, first in texts:
            rest, errors = text.communicate(timeout=TIMEOUT_S)
            assert text.returncode == 0 and first + rest == alone, errors
        guarded.wait_ready()
        guarded.serves()
    assert guarded.log(guarded.tokenizerd).count("server_key_changed") == 2     # its two links


def test_joiners_with_the_next_key_are_ready_before_servers_are(guarded):  # noqa: F811
    """A client whose folder knows the next key, and not only the one that is good now, gets in before and after."""
    pair = Pair()
    flags = guarded.client("ahead")
    pair.save(guarded.folder / "ahead" / "server" / "tokenizerd.next.key", secret=False)
    wait_until(lambda: guarded.run("status", "--wait", "1", *flags).returncode == 0, what="an authorised client")
    behind = guarded.client("behind")
    pair.save(guarded.keys.folder / "server" / "tokenizerd.key")
    guarded.said(guarded.tokenizerd, r"(server_key_changed)")
    assert guarded.run("status", "--wait", "10", *flags).returncode == 0
    guarded.refused("status", "--wait", "1", *behind)


def test_an_operators_watch_ends_with_its_rights(guarded):  # noqa: F811
    flags = guarded.client("operator", rights="operator")
    wait_until(lambda: guarded.run("status", "--wait", "1", *flags).returncode == 0, what="an operator")
    writer = guarded.popen("generate", "hello", "--ignore-eos", "--max-new-tokens", 90000, stdout=subprocess.DEVNULL)
    guarded.running()
    watcher = guarded.popen("watch", *flags, bufsize=0)
    assert watcher.stdout.read(1)
    pair_text = (guarded.folder / "operator" / "own" / "client.key").read_text()
    guarded.keys.authorised("text", "operator").write_text(pair_text)
    guarded.said(guarded.tokenizerd, r"client_left .*(its key has fewer rights than before)")
    watcher.communicate(timeout=TIMEOUT_S)
    assert watcher.returncode == 1 and writer.poll() is None
    assert guarded.run("ps", *flags).stdout == b"nothing runs\n"
    writer.kill()
