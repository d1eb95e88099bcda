"""The rooms stand on each other as layers.py says, and it sees when they do not."""
import pathlib
import shutil

import pytest

import layers

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """A copy of all that is checked."""
    for part in ("proto", "tokenizerd", "modeld", "samplerd", "client"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=lambda _, names: [n for n in names if n.endswith(".gguf")])
    return tmp_path


def test_no_room_includes_what_it_must_not():
    assert layers.check(ROOT) == []


@pytest.mark.parametrize("file, line", [
    ("samplerd/chain/rng.c", '#include "samplerd/links/service.h"'),           # upwards
    ("samplerd/chain/rng.c", '#include "tokenizerd/vocab/vocab.h"'),           # another daemon
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


def test_a_folder_that_is_no_room_is_told(tree):
    (tree / "proto" / "new").mkdir()
    (tree / "proto" / "new" / "thing.c").write_text("int thing;\n")
    assert layers.check(tree) == ["proto/new/thing.c: in no room"]


def test_what_is_not_yet_in_order_is_still_there():
    """A row of NOT_YET whose include is gone goes, too."""
    for file, name in layers.NOT_YET:
        assert f'#include "{name}"' in (ROOT / file).read_text(), (file, name)


def test_rooms_are_there_and_stand_on_rooms():
    for room, below in layers.ROOMS.items():
        assert (ROOT / room).is_dir() and all(one in layers.ROOMS for one in below), room
        for one in below:
            assert room not in layers.reachable(one), f"{room} and {one} stand on each other"
