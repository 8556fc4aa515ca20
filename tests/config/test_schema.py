"""Values of every type at every key of the config file: the error names the key, and nothing quotes a value."""

import json
import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from comfytui.config.loading import InvalidServer, read_servers
from comfytui.config.location import BadConfig
from comfytui.config.schema import ServerTable
from comfytui.config.server_config import NamedServer

SECRET = "hunter2"
SECRET_NUMBER = 7319731
FILE = Path("/home/me/config.toml")
KEYS = [each.name for each in msgspec.structs.fields(ServerTable)]
TABLES = ["headers", "cookies", "query"]
COMMANDS = ["token_command", "password_command"]
FLAGS = ["insecure", "default"]
TEXTS = [key for key in KEYS if key not in {*TABLES, *COMMANDS, *FLAGS}]

texts = st.sampled_from(
    [SECRET, f"{SECRET}=1", f"{SECRET}\0", f"{SECRET}\n", f"//{SECRET}@x", f"é{SECRET}", f"~{SECRET}/x"]
)
scalars = st.sampled_from(
    [
        SECRET_NUMBER,
        -SECRET_NUMBER,
        10**30 + SECRET_NUMBER,
        SECRET_NUMBER + 0.5,
        datetime(7319, 7, 3, 1, 7, 3, tzinfo=UTC),
        datetime(7319, 7, 3, 1, 7, 3),
        date(7319, 7, 3),
        time(7, 31, 9, 731),
    ]
)
names = st.sampled_from(["X", "env", "command", "a b", "Cookie", "authorization", "Host"])
values = st.recursive(
    texts | scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=6
)
QUOTED = [SECRET, "731973", "7319-07-03", "7319, 7", "07:31", "7, 31"]
"""Parts of these values, as TOML or Python writes them."""


def toml(value: Any) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)} = {toml(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case date() | time():
            return value.isoformat()
    return json.dumps(value)


def read(box: object) -> NamedServer | InvalidServer:
    """Return the server `box` with this entry; another entry is not affected by it."""
    servers, _ = read_servers(FILE, f"[servers]\nbox = {toml(box)}\nother.url = 'other'\n".encode())
    assert isinstance(servers["other"], NamedServer)
    return servers["box"]


def error_of(box: object) -> BadConfig:
    server = read(box)
    assert isinstance(server, InvalidServer), box
    with pytest.raises(BadConfig) as caught:
        server.to_server()
    assert str(caught.value) == f"{FILE}, {server.location.shown_key}: {server.reason}"
    return caught.value


def wrong_value(key: str) -> st.SearchStrategy[Any]:
    """Return values of types that a key cannot have."""
    if key in TEXTS:
        return scalars | st.booleans() | st.lists(values, max_size=3) | st.dictionaries(names, values, max_size=3)
    if key in FLAGS:
        return values | st.sampled_from([0, 1])
    if key in COMMANDS:
        listed = st.lists(texts, max_size=2).flatmap(lambda before: scalars.map(lambda wrong: [*before, wrong]))
        return texts | scalars | listed | st.dictionaries(names, values) | st.sampled_from([[], [""], ["", SECRET]])
    return texts | scalars | st.booleans() | st.lists(values, max_size=3)


def assert_nothing_quoted(*shown: str) -> None:
    assert not [part for part in QUOTED for text in shown if part in text]


@given(st.dictionaries(st.sampled_from([*KEYS, "tokken", "x_env"]), values | st.booleans(), max_size=5), st.booleans())
def test_no_value_of_an_entry_is_quoted(entry: Mapping[str, Any], with_url: bool) -> None:
    box = {"url": "box", **entry} if with_url else entry
    server = read(box)
    if isinstance(server, NamedServer):
        server = replace(server, ca=None, cert=None)  # These are shown, as messages about files name them.
    else:
        assert_nothing_quoted(server.summary, "".join(traceback.format_exception(error_of(box))))
    assert_nothing_quoted(repr(server), pretty_repr(server))


@given(values)
def test_no_value_in_place_of_an_entry_is_quoted(value: object) -> None:
    if not isinstance(value, dict):
        assert str(error_of(value)) == f"{FILE}, servers.box: this must be a table of keys and values."
    for content in (f"servers = {toml(value)}", f"server = {toml(value)}"):
        try:
            read_servers(FILE, content.encode())
        except BadConfig as error:
            assert_nothing_quoted("".join(traceback.format_exception(error)))


@given(st.data())
def test_a_value_of_a_wrong_type_is_an_error_at_its_key(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(KEYS))
    error = error_of({"url": "box", key: data.draw(wrong_value(key))})
    assert error.location.key == f"servers.box.{key}"


@given(st.sampled_from(TABLES), scalars | st.booleans() | st.lists(values, max_size=3))
def test_a_wrong_value_in_a_table_is_an_error_at_its_name(table: str, value: object) -> None:
    error = error_of({"url": "box", table: {"A": SECRET, "X": value}})
    assert error.location.key == f"servers.box.{table}.X"
    for kind in ("env", "command"):
        if kind == "env" or not isinstance(value, list):
            error = error_of({"url": "box", table: {"A": SECRET, "X": {kind: value}}})
            assert error.location.key == f"servers.box.{table}.X.{kind}"


@given(values)
def test_an_unknown_key_is_an_error_without_its_value(value: object) -> None:
    error = error_of({"url": "box", "tokken": value})
    assert (error.location.key, error.reason) == (
        "servers.box.tokken",
        f"unknown key; the known ones are {', '.join(sorted(KEYS))}.",
    )


def test_a_server_table_shows_no_values() -> None:
    table = ServerTable(url="box", token=SECRET, headers={"X": SECRET})
    assert SECRET not in f"{table!r} {pretty_repr(table)}"
