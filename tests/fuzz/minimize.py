#!/usr/bin/python3
"""Keeps few inputs of each target: the seeds, and of all that fuzzing found, here and below BUILD/found, what reaches some
edges of the code that nothing shorter reaches. usage: minimize.py BUILD [TARGET …]

BUILD is that of `make fuzz`. What was found has the name that libFuzzer gives it, a SHA-1; any other name is a seed's."""
import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

CORPUS = pathlib.Path(__file__).parent / "corpus"
EDGES_MIN = 3       # new ones, for which an input is kept: the rest is found again soon
FOUND_NAME = re.compile("[0-9a-f]{40}")


def inputs_of(target, build):
    """Seeds, and what was found: {contents: path}."""
    seeds, found = {}, {}
    for folder in (CORPUS / target, build / "found" / target):
        for path in sorted(folder.glob("*")):
            (found if FOUND_NAME.fullmatch(path.name) else seeds)[path.read_bytes()] = path
    return seeds, {bytes_: path for bytes_, path in found.items() if bytes_ not in seeds}


def new_edges(target, build, inputs):
    """For each of the inputs, how many edges no shorter one has reached: libFuzzer's notes of a merge."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folders = [scratch / "into", scratch / "from"]
        for folder in folders:
            folder.mkdir()
        for number, contents in enumerate(inputs):
            (folders[1] / f"{number:06}").write_bytes(contents)
        merge = [build / "fuzz" / target, "-merge=1", f"-merge_control_file={scratch / 'notes'}", "-timeout=10"]
        subprocess.run([*merge, *folders], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        lines = (scratch / "notes").read_text().splitlines()
    n_files = int(lines[0])
    numbers = [int(pathlib.Path(name).name) for name in lines[2:2 + n_files]]
    n_edges = [0] * len(inputs)
    for line in lines[2 + n_files:]:
        kind, index, *values = line.split()
        if kind == "COV":
            n_edges[numbers[int(index)]] += len(values)
    return n_edges


def minimize(target, build):
    seeds, found = inputs_of(target, build)
    inputs = [*seeds, *sorted(found, key=len)]
    n_edges = new_edges(target, build, inputs)
    n_kept = 0
    for contents, n in zip(inputs, n_edges):
        path = CORPUS / target / hashlib.sha1(contents).hexdigest()
        if contents in seeds:
            continue
        if n >= EDGES_MIN:
            path.write_bytes(contents)
            n_kept += 1
        else:
            path.unlink(missing_ok=True)
    print(f"{target}: {len(seeds)} seeds, {n_kept} of {len(found)} that were found, {sum(n_edges)} edges")


build = pathlib.Path(sys.argv[1])
for target in sys.argv[2:] or sorted(path.name for path in CORPUS.iterdir()):
    minimize(target, build)
