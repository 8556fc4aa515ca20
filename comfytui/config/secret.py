"""Where a secret is kept, in the file, the environment or a program that tells it, and how to get it from there."""

import os
import re
import subprocess
from dataclasses import dataclass, field

from comfytui.comfy.server import BadServer

COMMAND_SECONDS = 30.0
"""Patience with a program that tells a secret: it may ask for a passphrase in a window of its own."""

_VARIABLE = re.compile(r"(?=.{1,40}\Z)([A-Z]+[0-9]?|[A-Z][A-Z0-9]*_[A-Z0-9_]*|_[A-Z0-9_]+)")
"""Names that are surely those of a variable: a key of capitals and digits (`AKIA3...`) may be a secret."""


class BadConfig(BadServer):
    """A config file that cannot be used; the message is one sentence with the file and the key, without secrets."""


@dataclass(frozen=True, slots=True)
class Literal:
    """The secret itself."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """The name of a variable of the environment; it may be a secret that was put in the wrong place."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """A program and its arguments, whose first line of output is the secret."""

    words: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret, and the place in the file that says where it is."""

    place: str
    source: Literal | Variable | Command

    def peek(self) -> str:
        """The secret if it stands in the file, else nothing."""
        return self.source.text if isinstance(self.source, Literal) else ""

    def read(self) -> str:
        """The secret; raises BadConfig."""
        match self.source:
            case Literal(text):
                return text
            case Variable(name):
                if value := os.environ.get(name):
                    return value
                named = f"variable {name}" if _VARIABLE.fullmatch(name) else "variable that it names"
                raise BadConfig(f"{self.place}: the {named} is not set in the environment.")
            case Command(words):
                return self._told_by(words)

    def _told_by(self, words: tuple[str, ...]) -> str:
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # What it says there may be no less secret.
                timeout=COMMAND_SECONDS,
                check=False,
            )
            lines = done.stdout.decode().splitlines()
        except subprocess.TimeoutExpired:
            raise BadConfig(f"{self.place}: the command took more than {COMMAND_SECONDS:g} seconds.") from None
        except OSError as error:
            raise BadConfig(f"{self.place}: the command cannot be started ({error.strerror}).") from None
        except ValueError:
            raise BadConfig(f"{self.place}: the output of the command is not text.") from None
        if done.returncode:
            raise BadConfig(f"{self.place}: the command ended with code {done.returncode}; run it by hand to see why.")
        if not lines or not lines[0]:
            raise BadConfig(f"{self.place}: the first line of its output is empty.")
        return lines[0]
