#!/usr/bin/env python3
"""What is too large, which tag two types share, and which name two tests: of all files that are tracked. usage: sizes.py [ROOT]

No source file has more lines than a reader keeps in mind, no function more than a screen or two, no folder more files
than are seen at a glance, tests included; in the five folders the tag of a struct, union or enum is that of one type; and
a file of tests has its name alone, for in one run there is one module, and one program, of a name.
Prints each breach and exits with 1 when there is one."""
import ast
import collections
import pathlib
import subprocess
import sys

import c_source
from layers import PARTS

FILE_LINES_MAX, FUNCTION_LINES_MAX, FOLDER_FILES_MAX = 400, 70, 20
CORPORA = pathlib.PurePosixPath("tests/fuzz/corpus")    # inputs of libFuzzer: nobody reads these folders
SOURCES = (".c", ".h", ".py", ".rb", ".sh", ".proto")


def tracked(root):
    """The paths below root of all files that git tracks; where there is no git: of all files but what is built."""
    if (root / ".git").exists():
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], stdout=subprocess.PIPE, check=True).stdout
        names = listed.decode().split("\0")[:-1]
    else:
        names = (path.relative_to(root).as_posix() for path in root.glob("**/*"))
    paths = map(pathlib.PurePosixPath, sorted(names))
    return [path for path in paths if (root / path).is_file() and not path.parts[0].startswith("build")]


def is_source(path, text):
    return path.suffix in SOURCES or path.name == "Makefile" or (not path.suffix and text.startswith("#!"))


def functions(path, text):
    """(name, first line, number of lines) of each function of a C or Python file; of other files nothing."""
    if path.suffix in (".c", ".h"):
        yield from c_source.functions(text)
    elif path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def long_functions(path, text):
    try:
        for name, line, n_lines in functions(path, text):
            if n_lines > FUNCTION_LINES_MAX:
                yield f"{path}:{line}: {name} has {n_lines} lines, more than {FUNCTION_LINES_MAX}"
    except (SyntaxError, ValueError) as error:
        yield f"{path}: its functions cannot be counted: {error}"


def large_folders(paths):
    seen = (path.parent for path in paths if CORPORA not in path.parents)
    for folder, n_files in sorted(collections.Counter(seen).items()):
        if n_files > FOLDER_FILES_MAX:
            yield f"{folder}: {n_files} files, more than {FOLDER_FILES_MAX}"


def shared_tags(texts):
    places = collections.defaultdict(list)
    for path, text in texts.items():
        if path.parts[0] in PARTS and path.suffix in (".c", ".h"):
            for tag, line in c_source.tags(text):
                places[tag].append(f"{path}:{line}")
    for tag, defined in sorted(places.items()):
        if len(defined) > 1:
            yield f"{defined[-1]}: {tag} is already the tag of {', '.join(defined[:-1])}"


def shared_tests(paths):
    places = collections.defaultdict(list)
    for path in paths:
        if path.parts[0] == "tests" and path.name.startswith("test_"):
            places[path.name].append(str(path))
    for name, found in sorted(places.items()):
        if len(found) > 1:
            yield f"{found[-1]}: {name} is already the name of {', '.join(found[:-1])}"


def long_files(texts):
    for path, text in texts.items():
        n_lines = text.count("\n")
        if n_lines > FILE_LINES_MAX:
            yield f"{path}: {n_lines} lines, more than {FILE_LINES_MAX}"


def check(root):
    paths = tracked(root)
    texts = {path: (root / path).read_text(encoding="utf-8", errors="replace") for path in paths}
    texts = {path: text for path, text in texts.items() if is_source(path, text)}
    faults = [*long_files(texts), *large_folders(paths), *shared_tags(texts), *shared_tests(paths)]
    for path, text in texts.items():
        faults.extend(long_functions(path, text))
    return faults


if __name__ == "__main__":
    found = check(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    for fault in found:
        print(fault)
    sys.exit(1 if found else 0)
