"""Secrets of the config file: where each one is stored (the file, the environment, a command), and how to read it."""

import os
import re
import subprocess
from dataclasses import dataclass, field

from comfytui.comfy.address import BadServer

COMMAND_TIMEOUT = 30.0
"""Seconds to wait for a command that prints a secret: it may ask for a passphrase in a window of its own."""

_VARIABLE = re.compile(r"(?=.{1,40}\Z)([A-Z]+[0-9]?|[A-Z][A-Z0-9]*_[A-Z0-9_]*|_[A-Z0-9_]+)")
"""Names that can only be those of variables: capitals and digits without an underscore (`AKIA3...`) may be a secret."""


class BadConfig(BadServer):
    """A config file that cannot be used; the message is one sentence that names file and key and quotes no secret."""


@dataclass(frozen=True, slots=True)
class InlineSecret:
    """A secret that stands in the file itself."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    """An environment variable; its name stays out of `repr`, as a user may have put the secret there by mistake."""

    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CommandSecret:
    """A program and its arguments; the first line of its output is the secret."""

    arguments: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by its source; `location` is the file and key that name the source, for messages."""

    location: str
    source: InlineSecret | EnvironmentSecret | CommandSecret

    def inline_value(self) -> str:
        """Return the secret if it stands in the file itself, else an empty string."""
        return self.source.text if isinstance(self.source, InlineSecret) else ""

    def read(self, timeout: float = COMMAND_TIMEOUT) -> str:
        """Return the secret; may run a command and wait for it.

        Args:
            timeout: Seconds to wait for the command.

        Raises:
            BadConfig: The variable is not set, or the command failed.
        """
        match self.source:
            case InlineSecret(text):
                return text
            case EnvironmentSecret(name):
                if value := os.environ.get(name):
                    return value
                variable = f"variable {name}" if _VARIABLE.fullmatch(name) else "variable that it names"
                raise BadConfig(f"{self.location}: the {variable} is not set in the environment.")
            case CommandSecret(arguments):
                return self._run(arguments, timeout)

    def _run(self, arguments: tuple[str, ...], timeout: float) -> str:
        """Run a command, and return the first line of its output."""
        try:
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # It may quote the secret.
                timeout=timeout,
                check=False,
            )
            lines = done.stdout.decode().splitlines()
        except subprocess.TimeoutExpired:
            raise BadConfig(f"{self.location}: the command took more than {timeout:g} seconds.") from None
        except OSError as error:
            raise BadConfig(f"{self.location}: the command cannot be started ({error.strerror}).") from None
        except ValueError:
            raise BadConfig(f"{self.location}: the output of the command is not text.") from None
        if done.returncode:
            raise BadConfig(
                f"{self.location}: the command ended with code {done.returncode}; run it by hand to see why."
            )
        if not lines or not lines[0]:
            raise BadConfig(f"{self.location}: the first line of its output is empty.")
        return lines[0]
