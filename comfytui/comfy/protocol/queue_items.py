"""Prompts of a queue or a history, read but for their graphs, which stay text.

Graphs and the pictures' metadata beside them are nearly all of a body of megabytes: to find where they end costs a
tenth of making Python values of them, and keeps other threads from running for as much less.
"""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder


class ExtraStruct(Struct):
    """What is read of a prompt's `extra_data`."""

    client_id: Any = None
    create_time: Any = None
    comfytui: Any = None


class ItemStruct(Struct, array_like=True):
    """One prompt as the queue has it: `[number, prompt_id, graph, extra_data, outputs]`."""

    number: Any
    prompt_id: Any
    graph: Raw
    extra: ExtraStruct


class EntryStruct(Struct):
    """One entry of the history."""

    prompt: Raw = Raw(b"null")
    outputs: Raw = Raw(b"null")
    status: Raw = Raw(b"null")


decode_lists = Decoder(dict[str, list[Raw]]).decode
"""The answer to `GET /queue`."""
decode_entries = Decoder(dict[str, Raw]).decode
"""The answer to `GET /history`."""
decode_item = Decoder(ItemStruct).decode
decode_entry = Decoder(EntryStruct).decode
decode_value = Decoder().decode
"""A part of either."""
