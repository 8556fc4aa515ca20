"""Removes from frames and bodies what differs from run to run, and nothing else.

Ids are kept, since a replay sends the recorded ones. The result is JSON text, so that 1 and 1.0 differ.
"""

import json
import re
from io import BytesIO
from itertools import pairwise
from typing import Any

from PIL import Image

MASKED_KEYS = frozenset(
    {"timestamp", "create_time", "execution_start_time", "execution_end_time", "t"}  # times
    | {"modified", "created"}
    | {"ram_total", "ram_free", "vram_total", "vram_free", "torch_vram_total", "torch_vram_free"}  # bytes of memory
    | {"traceback"}  # paths and line numbers of the server
)
SORTED_KEYS = frozenset({"executed", "current_outputs"})  # ComfyUI makes these lists from sets of strings
FILE_NUMBER = re.compile(r"_(\d{5})_\.png")
TEMPORARY = re.compile(r"_temp_[a-z]{5}_")
BAR_TIMES = re.compile(r"\[\d\d:\d\d<[\d:?]+, *[\d.?]+it/s\]")
DURATION = re.compile(r"executed in [\d.]+ seconds")


class Normaliser:
    """Normalises one recording or one replay; prompt and file numbers count from the first one in it."""

    def __init__(self, first_number: int = 0, first_file: int = 0) -> None:
        self.first_number, self.first_file = first_number, first_file

    @classmethod
    def of(cls, *texts: str) -> "Normaliser":
        """Return a normaliser that starts at the first prompt number and file number in these texts."""
        files = [int(number) for text in texts for number in FILE_NUMBER.findall(text)]
        numbers = [int(number) for text in texts for number in re.findall(r'"(?:number|priority)": (\d+)', text)]
        return cls(min(numbers, default=0), min(files, default=0))

    def frame(self, frame: str | bytes) -> str:
        """Normalise a frame; a binary one is reduced to framing, metadata, and the image's format and size."""
        if isinstance(frame, str):
            return self.body(json.loads(frame))
        kind, second = (int.from_bytes(frame[place : place + 4], "big") for place in (0, 4))
        start = 8 + (second if kind == 4 else 0)
        head = json.loads(frame[8:start]) if kind == 4 else second
        with Image.open(BytesIO(frame[start:])) as image:
            return json.dumps(["preview", kind, head, image.format, image.size], sort_keys=True)

    def body(self, body: Any) -> str:
        """Normalise a JSON body."""
        return json.dumps(self._value(body), sort_keys=True)

    def _value(self, value: Any) -> Any:
        match value:
            case dict():
                return {key: self._entry(key, each) for key, each in value.items()}
            case [int(number), str(), dict(), dict(), list()]:
                return [self._number(number), *(self._value(each) for each in value[1:])]
            case list():
                return [self._value(each) for each in value]
            case str():
                return self._text(value)
        return value

    def _entry(self, key: str, value: Any) -> Any:
        if key in MASKED_KEYS:
            return f"<{type(value).__name__}>"
        if key in SORTED_KEYS:
            return sorted(value)
        if key == "argv":
            return ["<port>" if before == "--port" else each for before, each in pairwise(["", *value])]
        if key in {"number", "priority"}:
            return self._number(value)
        return self._value(value)

    def _number(self, number: int) -> int:
        return number - self.first_number if number >= 0 else number + self.first_number

    def _text(self, text: str) -> str:
        text = FILE_NUMBER.sub(lambda match: f"_+{int(match[1]) - self.first_file}_.png", text)
        text = TEMPORARY.sub("_temp_<letters>_", text)
        text = BAR_TIMES.sub("[<times>]", text)
        return DURATION.sub("executed in <n> seconds", text)
