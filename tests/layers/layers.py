#!/usr/bin/env python3
"""Which room may include which: checked from the #include lines. usage: layers.py [ROOT]

A room is a folder with those below it that have no row of their own. A file may include its own room, the rooms that ROOMS names for it, what those may include in turn, and proto/base.
Prints each line that breaks this and exits with 1 when there is one."""
import pathlib
import re
import sys

NETWORK = ("zmq.h", "czmq.h")

# room: the rooms that it stands on. A folder without a row belongs to the room of the folder above it.
ROOMS = {
    "proto/base": [],
    "proto/numeric": [],
    "proto/chain": [],
    "proto/rows": [],
    "proto/net": ["proto/chain", "proto/rows"],

    "tokenizerd/vocab": [],
    "tokenizerd/tokenizer": ["tokenizerd/vocab"],
    "tokenizerd/text": ["tokenizerd/tokenizer"],
    "tokenizerd/chat": ["tokenizerd/text"],
    "tokenizerd/requests": ["proto/chain", "tokenizerd/text"],
    "tokenizerd/route": ["tokenizerd/requests"],
    "tokenizerd/links": ["tokenizerd/chat", "tokenizerd/route", "proto/net"],
    "tokenizerd": ["tokenizerd/links"],

    "modeld/tensors": [],
    "modeld/formats": ["modeld/tensors"],
    "modeld/pool": [],
    "modeld/pages": ["proto/numeric"],
    "modeld/kernels": ["proto/numeric", "modeld/pool", "modeld/tensors"],
    "modeld/blocks": ["modeld/kernels", "modeld/pages"],
    "modeld/arch": ["modeld/formats", "modeld/blocks"],
    "modeld/engine": ["modeld/arch"],
    "modeld/sched": ["modeld/pages", "proto/chain", "proto/rows"],
    "modeld/links": ["modeld/engine", "modeld/sched", "proto/net"],
    "modeld": ["modeld/links"],

    "samplerd/simd": ["proto/numeric"],
    "samplerd/chain": ["proto/chain", "samplerd/simd"],
    "samplerd/links": ["samplerd/chain", "proto/net"],
    "samplerd": ["samplerd/links"],

    "client/lib": ["proto/net", "proto/chain"],
    "client/terminal": [],
    "client/cli": ["client/lib", "client/terminal", "proto/numeric"],
    "client/chat": ["client/cli"],
    "client/lab": ["client/cli"],
    "client/stack": ["client/cli"],
    "client": ["client/cli"],
}

# What still stands the wrong way round: (file, what it includes). Rows are only taken out here.
NOT_YET = {
    ("tokenizerd/requests/calls.h", "tokenizerd/chat/chat.h"),
    ("tokenizerd/requests/calls.h", "tokenizerd/chat/conversation.h"),
    ("tokenizerd/requests/calls.h", "tokenizerd/route/models.h"),
    ("tokenizerd/requests/request.h", "tokenizerd/route/models.h"),
    ("tokenizerd/requests/watches.h", "tokenizerd/route/models.h"),
    ("tokenizerd/vocab/vocab.c", "tokenizerd/tokenizer/split_patterns.h"),
    ("tokenizerd/vocab/vocab.h", "tokenizerd/tokenizer/bpe.h"),
    ("tokenizerd/vocab/vocab.h", "tokenizerd/tokenizer/pretokenize.h"),
    ("tokenizerd/vocab/vocabularies.h", "tokenizerd/chat/chat.h"),
}

# Only these include what protoc-c makes, and only the network's room includes ZeroMQ.
WIRE_ROOMS = ("proto/net", "tokenizerd/links", "modeld/links", "samplerd/links", "client/lib")
WIRE_FILES = ("proto/chain/strategy_wire",)


def room_of(path):
    """The room that a file or folder of the repository belongs to; None: of none (a generated header, a test)."""
    place = pathlib.PurePosixPath(path).parent
    while str(place) not in ROOMS:
        if str(place) in (".", ""):
            return None
        place = place.parent
    return str(place)


def reachable(room):
    """The room itself, proto/base, and all that it stands on."""
    found, todo = set(), [room, "proto/base"]
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo.extend(ROOMS[one])
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
        target = base / name
        if (root / target).is_file():
            other = room_of(target)
            return None if other in reachable(room) else f"{room} must not include {other or 'this'}"
    return None             # of the system


def check(root):
    faults = []
    for path in sorted(root.glob("*/**/*.[ch]")):
        file = pathlib.PurePosixPath(path.relative_to(root).as_posix())
        room = room_of(file)
        if room is None:
            if file.parts[0] in ("proto", "tokenizerd", "modeld", "samplerd", "client"):
                faults.append(f"{file}: in no room")
            continue
        for number, name in includes(path):
            wrong = fault(root, file, room, name)
            if wrong and (str(file), name) not in NOT_YET:
                faults.append(f"{file}:{number}: {wrong} ({name})")
    return faults


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    print("\n".join(found))
    sys.exit(1 if found else 0)
