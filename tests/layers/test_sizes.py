"""Nothing in the repository is too large, and sizes.py sees what is."""
import pathlib
import subprocess

import pytest

import c_source
import sizes

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """tree(path, text): a small tree with this file, too, and its root."""
    def add(path, text=""):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        return tmp_path
    return add


def c_function(name, n_lines):
    """Of exactly so many lines, its head on two of them."""
    return f"static int {name}(int a,\n    int b) {{\n" + "    a += b;\n" * (n_lines - 4) + "    return a;\n}\n"


def py_function(name, n_lines):
    return f"@cached\ndef {name}():\n" + "    print()\n" * (n_lines - 1)


def test_nothing_is_too_large():
    assert sizes.check(ROOT) == []


@pytest.mark.parametrize("path", ["modeld/a.c", "modeld/a.h", "tests/e2e/test_a.py", "deploy/a.sh", "proto/a.proto",
                                  "Makefile"])
def test_a_long_file_is_told(tree, path):
    assert sizes.check(tree(path, "\n" * 400)) == []
    assert sizes.check(tree(path, "\n" * 401)) == [f"{path}: 401 lines, more than 400"]


def test_a_script_without_a_suffix_is_a_source(tree):
    assert sizes.check(tree(".ci/run", "#!/bin/sh\n" + "\n" * 400)) == [".ci/run: 401 lines, more than 400"]


@pytest.mark.parametrize("path", ["LICENSE", "client/GUIDE.md", "tests/golden/a.jsonl", "client/a.svg", "deploy/a.gguf"])
def test_a_long_file_that_is_no_source_is_none_of_its_business(tree, path):
    assert sizes.check(tree(path, "\n" * 401)) == []


@pytest.mark.parametrize("path, function", [("tests/a.c", c_function), ("modeld/a.h", c_function),
                                            ("tests/a.py", py_function)])
def test_a_long_function_is_told_with_its_line(tree, path, function):
    assert sizes.check(tree(path, function("before", 70) + function("much", 70))) == []
    line = 71 if function is c_function else 73
    assert sizes.check(tree(path, function("before", 70) + function("much", 71))) == [
        f"{path}:{line}: much has 71 lines, more than 70"]


def test_a_file_whose_functions_cannot_be_counted_is_told(tree):
    for path, text, why in (("modeld/a.c", "int f(void) {\n", "a brace stays open"),
                            ("modeld/a.c", "int f(void) {}\n}\n", "line 2: a brace closes nothing"),
                            ("modeld/a.py", "def f(:\n", "")):
        root = tree(path, text)
        fault, = sizes.check(root)
        assert fault.startswith(f"{path}: its functions cannot be counted: {why}")
        (root / path).unlink()


def test_a_full_folder_is_told_with_all_that_it_holds(tree):
    for number in range(20):
        root = tree(f"modeld/full/{number}.jsonl")
        tree(f"modeld/full/below/{number}.c")
    assert sizes.check(root) == []
    assert sizes.check(tree("modeld/full/20.md")) == ["modeld/full: 21 files, more than 20"]


def test_inputs_of_a_fuzzer_may_be_many(tree):
    root = None
    for i in range(30):
        root = tree(f"tests/fuzz/corpus/a/{i}")
    assert sizes.check(root) == []


def test_a_tag_of_two_types_is_told(tree):
    tree("modeld/a.c", "struct x;\nstruct x *of(struct x *one);\nstruct x\n{\n    int a;\n};\n")
    assert sizes.check(tree("tests/modeld/test_a.c", "struct x { int a; };\n")) == []
    assert sizes.check(tree("client/b.h", "struct x;\n// struct x {\ntypedef struct x x;\n")) == []
    assert sizes.check(tree("client/b.h", "\ntypedef union x { int a; } x;\n")) == [
        "modeld/a.c:3: x is already the tag of client/b.h:2"]


def test_two_tests_of_one_name_are_told(tree):
    tree("tests/e2e/client/test_a.py")
    tree("tests/proto/test_a.c")
    assert sizes.check(tree("tests/e2e/client/help.py")) == sizes.check(tree("tests/fakes/help.py")) == []
    assert sizes.check(tree("tests/e2e/daemons/test_a.py")) == [
        "tests/e2e/daemons/test_a.py: test_a.py is already the name of tests/e2e/client/test_a.py"]


def test_where_there_is_git_only_tracked_files_count(tree):
    root = tree("modeld/a.c", "\n" * 401)
    tree("tests/a.c", "\n" * 401)
    subprocess.run(["git", "-C", root, "init", "--quiet"], check=True)
    assert sizes.check(root) == []
    subprocess.run(["git", "-C", root, "add", "tests"], check=True)
    assert sizes.check(root) == ["tests/a.c: 401 lines, more than 400"]
    (root / "tests" / "a.c").unlink()
    assert sizes.check(root) == []


def test_functions_are_told_from_all_that_has_braces():
    text = """\
#define OPEN {\\
    {
#if 0   /* { */
/* int no(void) { */ // int no(void) {
struct shape {
    int (*area)(const struct shape *);
};
static const char *const braces[] = {"{", "\\"{", "}", "a\\\\"};
_Static_assert(sizeof((struct shape){0}.area) > 1, "{");
enum { FEW = 3 };

__attribute__((format(printf, 1, 2))) static bool
opens(char c) // {
{
    switch (c) {
    case '{': return "{"[0];
    case '\\'': case '"': { return '\\\\'; }
    }
    return c == '}';
}
int (*of_a_kind(int kind))(void) { return 0; }
struct shape made(void) {
    return (struct shape){0};
}
"""
    assert list(c_source.functions(text)) == [("opens", 12, 9), ("of_a_kind", 21, 1), ("made", 22, 3)]
