"""Read the definitions of all node classes, in pieces as they arrive (shapes of ComfyUI 0.33.0).

A few malformed definitions are left out, and those that are so large that parts of them would have to be left out. A
body of another shape altogether raises ValueError.
"""

import re
from collections.abc import Mapping

from msgspec import Raw
from msgspec.json import Decoder

from comfytui.comfy.limits import (
    DEFINITION_VALUES,
    DEFINITIONS_MEMBERS,
    DEFINITIONS_VALUES,
    MALFORMED_MEMBERS,
    PIECE,
    LimitExceeded,
)
from comfytui.comfy.protocol import json_readers
from comfytui.comfy.protocol.json_stream import PieceReader
from comfytui.comfy.protocol.models import Json

Definitions = Mapping[str, Mapping[str, Json]]
"""The definitions of node classes as `/object_info` has them, by class."""

_decode_members = Decoder(dict[str, Raw]).decode


class DefinitionsReader(PieceReader):
    """Reads the definitions of node classes.

    Args:
        piece: As for `PieceReader`.
    """

    # The end of a definition, a comma, and the name and the inputs of the next class.
    boundary = re.compile(rb'\}(\s{0,99},\s{0,99})"[^"\\]{1,256}"\s{0,99}:\s{0,99}\{\s{0,99}"input"\s{0,99}:')
    closing = b"}"

    def __init__(self, piece: int = PIECE) -> None:
        super().__init__(piece)
        self._definitions: dict[str, Mapping[str, Json]] = {}
        self._values = 0
        self._malformed = 0

    def read_document(self, document: bytes) -> None:
        """Read some definitions.

        Raises:
            ValueError: If it is not a part of the definitions; then nothing is read of it.
            LimitExceeded: If there are too many of them, or of the values that they hold.
        """
        members: Mapping[str, Raw | Json]
        try:
            members = _decode_members(document)
        except (ValueError, RecursionError):  # Infinity as a maximum, which ComfyUI writes, or no definitions
            members = json_readers.loads(document)
            if not isinstance(members, dict):
                raise ValueError("no definitions") from None
        self.opening = b"{"
        if self.shortened:
            return
        self._values += json_readers.count_values(document)
        if self._values > DEFINITIONS_VALUES:
            raise LimitExceeded(f"more than {DEFINITIONS_VALUES:,} values")
        for name, value in members.items():
            self._add(name, value)

    def definitions(self) -> Definitions:
        """Return the definitions that were read.

        Raises:
            ValueError: If the body had none, but something else.
        """
        if self._malformed and not self._definitions:
            raise ValueError("no definitions")
        return self._definitions

    def _add(self, name: str, value: Raw | Json) -> None:
        try:
            definition = json_readers.loads(bytes(value), DEFINITION_VALUES) if isinstance(value, Raw) else value
        except ValueError:
            definition = None
        if not isinstance(definition, dict) or "input" not in definition:
            self._malformed += 1
            if self._malformed > MALFORMED_MEMBERS:
                raise ValueError("malformed definitions")
            return
        if len(self._definitions) >= DEFINITIONS_MEMBERS:
            raise LimitExceeded(f"more than {DEFINITIONS_MEMBERS:,} classes of nodes")
        self._definitions[name] = definition
