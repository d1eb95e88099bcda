"""PROTOCOL.md names every message and field of the schemas, and every bound as limits.h has it."""
import re

import pytest

from conftest import IS_TINY, ROOT
import fake_link        # noqa: F401: where the generated modules lie
import common_pb2
import logits_pb2
import text_pb2
import tokens_pb2

PROTO = ROOT / "proto"
PAGES = {name: (PROTO / f"{name}.md").read_text() for name in ("PROTOCOL", "SAMPLER", "TEXTS")}
SCHEMAS = (common_pb2, text_pb2, tokens_pb2, logits_pb2)
MESSAGES = {name: one for schema in SCHEMAS for name, one in schema.DESCRIPTOR.message_types_by_name.items()}
# Names of zmq.h and bpe.h.
ELSEWHERE = {"ZMQ_IMMEDIATE", "ZMQ_LINGER", "ZMQ_DONTWAIT", "ZMQ_EVENT_DISCONNECTED", "ZMQ_CURVE_SERVERKEY",
             "ZMQ_CURVE_PUBLICKEY", "ZMQ_CURVE_SECRETKEY", "BPE_RUN_BYTES_A_BYTE"}
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "s": 1000, "ms": 1, "": 1}


def limits():
    """Those of a plain build."""
    found = {"TINY_LIMITS": 0}
    source = re.sub(r"/\*.*?\*/", "", (PROTO / "base" / "limits.h").read_text(), flags=re.DOTALL)
    for name, value in re.findall(r"^(?:#define|   ) ?(\w+)(?: =)? (.+?),? *$", source, re.MULTILINE):
        plain = re.sub(r"TINY_LIMITS \? .*? : ", "", value)
        if re.fullmatch(r"[\w\s()+*/<-]+", plain) and not re.search(r"[a-z]", plain):
            found.setdefault(name, eval(plain, {}, found))       # numbers and names of limits, and nothing else
    return found


LIMITS = limits()


def rows(page):
    """Cells of each line of a table."""
    for line in page.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def names(text):
    return re.findall(r"`([\w.]+)`", text)


def named_fields():
    found = {}
    for first, *others in rows(PAGES["PROTOCOL"]):
        for message in names(first):
            found.setdefault(message, set()).update(word for cell in others for word in names(cell))
    return found


def is_envelope(message):
    return "body" in message.oneofs_by_name


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_and_field_is_named(name):
    named = named_fields()
    assert name in named, f"no row for {name}"
    if is_envelope(MESSAGES[name]):
        return                  # its bodies have rows of their own
    missing = {field.name for field in MESSAGES[name].fields} - named[name]
    assert not missing, f"{name} has fields that its row does not name"


def test_every_field_that_is_named_is_one():
    for first, *others in rows(PAGES["PROTOCOL"]):
        told = [MESSAGES[name] for name in names(first) if name in MESSAGES and not is_envelope(MESSAGES[name])]
        known = {field.name for message in told for field in message.fields}
        assert not told or set(filter(str.islower, names(others[0]))) <= known, first


def test_every_bound_is_that_of_limits_h():
    table = PAGES["PROTOCOL"].split("\n## Bounds\n")[1].split("\n## ")[0]
    told = {}
    for first, value, *_ in rows(table):
        bounds, values = names(first), re.split(r", ", value)
        if bounds:
            told.update(zip(bounds, values, strict=True))
    assert len(told) > 60
    for name, value in told.items():
        number, unit = re.fullmatch(r"(-?[\d,]+) ?(\w*)", value).groups()
        assert int(number.replace(",", "")) * UNITS[unit] == LIMITS[name], name


@pytest.mark.skipif(IS_TINY, reason="the page tells of the plain limits")
def test_limits_are_read_as_the_compiler_reads_them():
    assert LIMITS["HEADER_BYTES_MAX"] == (1 << 20) - (128 << 10) and LIMITS["PRIORITY_MIN"] == -10
    assert LIMITS["WAIT_MS_MAX"] == 24 * 3600 * 1000 and LIMITS["TEXT_BYTES_MAX"] == 16 << 20


@pytest.mark.parametrize("page", PAGES)
def test_every_name_in_capitals_is_one(page):
    known = set(LIMITS) | {value for schema in SCHEMAS for enum in schema.DESCRIPTOR.enum_types_by_name.values()
                           for value in enum.values_by_name}
    told = {name for name in names(PAGES[page]) if re.fullmatch(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+", name)}
    assert told and not told - known - ELSEWHERE


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    def anchors(text):
        return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        path, _, anchor = target.partition("#")
        text = (PROTO / path).read_text() if path else PAGES[page]
        assert not anchor or anchor in anchors(text), target


# Numbers that meant something else before version 2.
GONE = {"Segment": (1, "text"), "Tokenize": (3, "text"), "Message": (2, "content"), "Detokenized": (2, "text"),
        "Score": (4, "text"), "Listed": (2, "requests"), "StatusReport": (2, "daemons")}


@pytest.mark.parametrize("name", GONE)
def test_numbers_that_are_gone_are_reserved(name):
    number, field = GONE[name]
    schema = (PROTO / "text.proto").read_text()
    body = re.search(rf"^message {name} {{(.*?)^}}", schema, re.MULTILINE | re.DOTALL)[1]
    assert f"reserved {number};" in body and f'reserved "{field}";' in body
    assert number not in MESSAGES[name].fields_by_number and field not in MESSAGES[name].fields_by_name
