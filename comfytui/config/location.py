"""Where something stands in the config file, and the error that says so."""

from dataclasses import dataclass
from pathlib import Path

from comfytui.comfy.address import BadServer
from comfytui.sanitize import sanitize


@dataclass(frozen=True, slots=True)
class Location:
    """A dotted key of the config file; empty for the whole file. As text, it is how messages begin."""

    file: Path
    key: str = ""

    def __str__(self) -> str:
        file = sanitize(str(self.file), 200)
        return f"{file}, {self.shown_key}:" if self.key else file

    @property
    def shown_key(self) -> str:
        """The key for the screen; it is the user's own text."""
        return sanitize(self.key, 100)

    def child(self, key: str) -> "Location":
        """Return the location of a key of this table."""
        return Location(self.file, f"{self.key}.{key}" if self.key else key)


class BadConfig(BadServer):
    """A config file that cannot be used; the message is one sentence that names file and key and quotes no secret."""

    def __init__(self, location: Location, reason: str) -> None:
        super().__init__(f"{location} {reason}")
        self.location = location
        self.reason = reason
