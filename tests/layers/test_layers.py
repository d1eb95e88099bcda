"""The rooms stand on each other as layers.py says, and it sees when they do not."""
import ast
import pathlib
import shutil

import pytest

import layers

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """A copy of all that is checked."""
    for part in layers.PARTS:
        shutil.copytree(ROOT / part, tmp_path / part, ignore=lambda _, names: [n for n in names if n.endswith(".gguf")])
    return tmp_path


def test_no_room_includes_what_it_must_not():
    assert layers.check(ROOT) == []


@pytest.mark.parametrize("file, line", [
    ("proto/draw/rng.c", '#include "samplerd/links/logits_link.h"'),             # upwards
    ("proto/draw/rng.c", '#include "tokenizerd/vocab/vocab.h"'),           # another daemon
    ("modeld/pages/kv_cache.h", '#include "modeld/kernels/kernels.h"'),
    ("proto/base/status.h", '#include "proto/net/wire.h"'),
    ("client/cli/json.c", '  #  include "logits.pb-c.h"'),                       # generated
    ("tokenizerd/requests/request.c", "#include <czmq.h>"),                      # ZeroMQ
])
def test_a_forbidden_include_is_told(tree, file, line):
    path = tree / file
    path.write_text(line + "\n" + path.read_text())
    fault, = layers.check(tree)
    assert fault.startswith(f"{file}:1: ")


@pytest.mark.parametrize("folder", ["proto/new", "modeld/new", "client/new/below"])
@pytest.mark.parametrize("name", ["thing.c", "thing.py"])
def test_a_folder_that_is_no_room_is_told(tree, folder, name):
    (tree / folder).mkdir(parents=True)
    (tree / folder / name).write_text("")
    assert layers.check(tree) == [
        f"{folder}/{name}: in no room: its folder wants a row in ROOMS of tests/layers/layers.py"]


def test_a_folder_below_a_room_is_of_the_room(tree):
    path = tree / "modeld" / "kernels" / "new" / "thing.c"
    path.parent.mkdir()
    path.write_text('#include "proto/pool/threads.h"\n')
    assert layers.check(tree) == []
    path.write_text('#include "modeld/pages/kv_cache.h"\n')
    fault, = layers.check(tree)
    assert fault.startswith("modeld/kernels/new/thing.c:1: modeld/kernels must not include modeld/pages")


def test_a_way_round_is_no_way(tree):
    (tree / "modeld" / "kernels" / "thing.c").write_text('#include "../pages/kv_cache.h"\n')
    assert layers.check(tree) == ["modeld/kernels/thing.c:1: modeld/kernels must not include modeld/pages: see ROOMS in "
                                  "tests/layers/layers.py (../pages/kv_cache.h)"]


def test_a_room_that_is_not_there_is_told(tree, monkeypatch):
    monkeypatch.setitem(layers.ROOMS, "modeld/cellar", [])
    monkeypatch.setitem(layers.ROOMS, "modeld/sched", [*layers.ROOMS["modeld/sched"], "modeld/attic"])
    assert layers.check(tree) == ["modeld/sched: stands on modeld/attic, which is no room",
                                  "modeld/cellar: a room of ROOMS that is not there"]


def test_two_rooms_that_stand_on_each_other_are_told(tree, monkeypatch):
    monkeypatch.setitem(layers.ROOMS, "proto/pool", ["modeld/kernels"])
    assert layers.check(tree) == ["proto/pool: stands on modeld/kernels, which stands on it",
                                  "modeld/kernels: stands on proto/pool, which stands on it"]


def test_no_test_takes_from_another_test():
    """What they share has a name of its own: a fake, or a helper of tests/e2e."""
    for path in (ROOT / "tests").glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else \
                    [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[-1].startswith("test_")], path
