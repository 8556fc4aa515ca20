"""The queue's body cut into prompts, and each prompt read but for its graph, which stays text.

Graphs and the pictures' metadata beside them are nearly all of a body of megabytes: to find where they end costs a
tenth of making Python values of them, and keeps other threads from running for as much less.
"""

from typing import Any

from msgspec import Raw, Struct
from msgspec.json import Decoder


class Extra(Struct):
    """What is read of a prompt's `extra_data`."""

    client_id: Any = None
    create_time: Any = None
    comfytui: Any = None


class Slice(Struct, array_like=True):
    """One prompt as the queue has it: `[number, prompt_id, graph, extra_data, outputs]`."""

    number: Any
    prompt_id: Any
    graph: Raw
    extra: Extra


class Body(Struct):
    """The answer to `GET /queue`."""

    queue_running: list[Raw]
    queue_pending: list[Raw]


body_of = Decoder(Body).decode
slice_of = Decoder(Slice).decode
