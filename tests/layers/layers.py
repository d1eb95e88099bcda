#!/usr/bin/env python3
"""Which room may include which: checked from the #include lines. usage: layers.py [ROOT]

A room is a folder with those below it that have no row of their own; a daemon's own folder, the client's and proto/ are
only what lies in them directly. A file may include its own room, the rooms that ROOMS names for it, what those may include
in turn, and proto/base. Prints each line that breaks this and exits with 1 when there is one."""
import os.path
import pathlib
import re
import sys

NETWORK = ("zmq.h", "czmq.h")

PARTS = ("proto", "tokenizerd", "modeld", "samplerd", "client")

# room: the rooms that it stands on. A folder without a row belongs to the room of the folder above it.
ROOMS = {
    "proto": [],                # the schemas; code lies in the rooms below
    "proto/base": [],
    "proto/numeric": [],
    "proto/pool": [],
    "proto/chain": [],
    "proto/draw/simd": ["proto/numeric"],
    "proto/draw": ["proto/chain", "proto/draw/simd"],
    "proto/rows": [],
    "proto/net": ["proto/chain", "proto/rows"],

    "tokenizerd/owners": [],
    "tokenizerd/vocab": [],
    "tokenizerd/tokenizer": ["tokenizerd/vocab"],
    "tokenizerd/text": ["tokenizerd/owners", "tokenizerd/tokenizer"],
    "tokenizerd/chat": ["tokenizerd/text"],
    "tokenizerd/requests": ["proto/chain", "tokenizerd/text"],
    "tokenizerd/route": ["tokenizerd/chat", "tokenizerd/requests"],
    "tokenizerd/links": ["tokenizerd/chat", "tokenizerd/route", "proto/net"],
    "tokenizerd/serve": ["tokenizerd/links"],
    "tokenizerd": ["tokenizerd/serve"],

    "modeld/tensors": [],
    "modeld/formats": ["modeld/tensors"],
    "modeld/pages": ["proto/numeric"],
    "modeld/kernels": ["proto/numeric", "proto/pool", "modeld/tensors"],
    "modeld/blocks": ["modeld/kernels", "modeld/pages"],
    "modeld/arch": ["modeld/formats", "modeld/blocks"],
    "modeld/engine": ["modeld/arch"],
    "modeld/sched": ["modeld/pages", "proto/chain", "proto/rows"],
    "modeld/links": ["modeld/engine", "modeld/sched", "proto/draw", "proto/net"],
    "modeld/serve": ["modeld/links"],
    "modeld": ["modeld/serve"],

    "samplerd/rows": ["proto/draw"],
    "samplerd/links": ["samplerd/rows", "proto/net", "proto/pool"],
    "samplerd/examples": [],
    "samplerd": ["samplerd/links"],

    "client/lib": ["proto/net", "proto/chain"],
    "client/terminal": [],
    "client/cli": ["client/lib", "client/terminal", "proto/numeric"],
    "client/chat": ["client/cli"],
    "client/lab": ["client/cli"],
    "client/stack": ["client/cli"],
    "client": ["client/cli"],
}

# Only these include what protoc-c makes, and only the network's room includes ZeroMQ.
WIRE_ROOMS = ("proto/net", "tokenizerd/links", "modeld/links", "samplerd/links", "client/lib")
WIRE_FILES = ("proto/chain/strategy_wire",)


def room_of(path):
    """The room that a file of the repository lies in; None: in none (a generated header, a test)."""
    folder = place = pathlib.PurePosixPath(path).parent
    while str(place) not in ROOMS:
        if len(place.parts) <= 1:
            return None
        place = place.parent
    return str(place) if place == folder or len(place.parts) > 1 else None


def reachable(room):
    """The room itself, proto/base, and all that it stands on."""
    found, todo = set(), [room, "proto/base"]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(ROOMS.get(one, ()))
    return found


def includes(path):
    """(line number, name) of each #include."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+[<"]([^>"]+)[>"]', line)
        if found:
            yield number, found.group(1)


def fault(root, file, room, name):
    """What is wrong with this #include, or None."""
    if name.endswith(".pb-c.h"):
        allowed = room in WIRE_ROOMS or file.with_suffix("").as_posix() in WIRE_FILES
        return None if allowed else f"{room} has nothing to do with the wire"
    if name in NETWORK:
        return None if room == "proto/net" else f"only proto/net knows ZeroMQ, not {room}"
    for base in (file.parent, pathlib.PurePosixPath()):
        target = pathlib.PurePosixPath(os.path.normpath(base / name))
        if (root / target).is_file():
            other = room_of(target)
            return None if other in reachable(room) else f"{room} must not include {other or 'this'}: see ROOMS in tests/layers/layers.py"
    return None             # of the system


def rooms_in_the_air(root):
    """What is wrong with the rows themselves."""
    for room, below in ROOMS.items():
        if not (root / room).is_dir():
            yield f"{room}: a room of ROOMS that is not there"
        for one in below:
            if one not in ROOMS:
                yield f"{room}: stands on {one}, which is no room"
            elif room in reachable(one):
                yield f"{room}: stands on {one}, which stands on it"


def files_of_parts(root):
    for part in PARTS:
        for path in sorted(root.glob(f"{part}/**/*")):
            if path.is_file() and path.parent.name != "__pycache__":
                yield path


def check(root):
    faults = list(rooms_in_the_air(root))
    for path in files_of_parts(root):
        file = pathlib.PurePosixPath(path.relative_to(root).as_posix())
        room = room_of(file)
        if room is None:
            faults.append(f"{file}: in no room: its folder wants a row in ROOMS of tests/layers/layers.py")
        elif file.suffix in (".c", ".h"):
            for number, name in includes(path):
                wrong = fault(root, file, room, name)
                if wrong:
                    faults.append(f"{file}:{number}: {wrong} ({name})")
    return faults


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    for one in found:
        print(one)
    sys.exit(1 if found else 0)
