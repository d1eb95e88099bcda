"""The Makefile and what runs the tests: objects follow their flags, and the last lines name what failed."""
import os
import subprocess

from conftest import ROOT


def make(build, *words):
    done = subprocess.run(["make", "-C", ROOT, f"BUILD={build}", *words, f"{build}/obj/proto/base/clock.o"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    assert done.returncode == 0, done.stdout.decode()
    return done.stdout.decode()


def test_objects_are_made_again_with_other_flags(tmp_path):
    build = tmp_path / "build"
    assert "clock.o" in make(build)
    assert "up to date" in make(build, "-n")
    for flag in ("TINY_LIMITS=1", "CFLAGS=-O0", "CPPFLAGS=-DX=1", "SANITIZE=-fsanitize=undefined", "CC=clang",
                 "WERROR=-Wno-error", "CFLAGS=-DQUOTE=\"'\""):
        assert "clock.c" in make(build, "-n", flag), flag
    assert "up to date" in make(build, "-n")            # asking changed nothing
    make(build, "TINY_LIMITS=1")
    assert "up to date" in make(build, "-n", "TINY_LIMITS=1")
    assert "clock.c" in make(build, "-n")


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def test_the_last_lines_name_what_failed(tmp_path):
    good = script(tmp_path / "test_good", "echo '[  PASSED  ] 2 test(s).'\n")
    bad = script(tmp_path / "test_bad", "printf '[  FAILED  ] 2 test(s), listed below:\\n[  FAILED  ] one\\n[  FAILED  ] two\\n'; exit 2")
    dead = script(tmp_path / "test_dead", "echo '[ RUN      ] three'; kill -ABRT $$")
    done = subprocess.run([ROOT / "tests" / "run-unit.sh", bad, dead, good], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 1
    assert done.stdout.decode().splitlines()[-2:] == ["FAILED test_bad: one two", "FAILED test_dead: exit code 134 in three"]
    assert subprocess.run([ROOT / "tests" / "run-unit.sh", good], stdout=subprocess.DEVNULL).returncode == 0


def test_what_is_missing_is_named_with_its_remedy(tmp_path):
    def sentence(*words, **environment):
        done = subprocess.run(["make", "-j4", "-C", ROOT, f"BUILD={tmp_path / 'build'}", *words, "programs"], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env={**os.environ, **environment})
        assert done.returncode == 2
        return done.stderr.splitlines()[0]
    remedy = "`make deps` installs what the build needs."
    assert sentence("CC=no-such-compiler -m64") == f"missing: no-such-compiler. {remedy}"
    assert sentence(PKG_CONFIG_LIBDIR=str(tmp_path)).startswith("missing: libzmq libczmq ")
    assert sentence(PKG_CONFIG_LIBDIR=str(tmp_path)).endswith(f" openblas libedit. {remedy}")
