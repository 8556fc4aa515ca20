"""Long lists read item by item are what they are when read at once."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comfytui.comfy.lists import read_lists
from tests.comfy.test_decode_anything import values

SPACES = st.sampled_from([None, 0, 3, "\t", " \r\n"])


def as_it_is(value: Any) -> Any:
    return value


@given(st.dictionaries(st.text(), st.lists(values) | values), SPACES)
def test_items_are_read_as_they_stand(body: dict[str, Any], indent: int | str | None) -> None:
    body = json.loads(json.dumps(body))
    expected = {
        name: [item for item in value if item is not None] if isinstance(value, list) else []
        for name, value in body.items()
    }
    assert read_lists(json.dumps(body, indent=indent).encode(), as_it_is) == expected


def test_each_item_is_let_go_before_the_next_is_read() -> None:
    held: list[int] = []

    class Boiled:
        def __init__(self, item: Mapping[str, int]) -> None:
            self.number = item["n"]
            held.append(self.number)

    boiled = read_lists(b' { "a" : [ {"n": 1} , {"n": 2} ] , "b": null }', Boiled)
    assert [item.number for item in boiled["a"]] == held == [1, 2]
    assert boiled["b"] == []


BROKEN = [
    "{",
    "[]",
    "3",
    '"{}"',
    '{"a"',
    '{"a":',
    '{"a"[]}',
    '{"a":[1;2]}',
    '{"a":[1,]}',
    '{"a":[1],}',
    '{"a":[1}',
    '{"a":[1]',
    "{1:[1]}",
    '{"a":[1]]',
    "<html>",
]


@pytest.mark.parametrize("text", [*BROKEN, "", pytest.param('{"a":' + "[" * 100_000, id="deep")])
def test_what_is_no_object_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"no |Expecting|nested"):
        read_lists(text.encode(), as_it_is)


@given(st.binary(), st.text('{}[],:"1 \\n'))
def test_no_bytes_are_another_error(raw: bytes, text: str) -> None:
    for each in (raw, text.encode()):
        with suppress(ValueError):
            assert isinstance(read_lists(each, as_it_is), dict)
