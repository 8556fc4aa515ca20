"""Secrets of the config file: where each one is stored (the file, the environment, a command), and how to read it."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from typing import Any

from comfytui.config.location import BadConfig, Location
from comfytui.config.schema import COMMAND_EXPECTED, Command, SecretText, Variable, convert

COMMAND_TIMEOUT = 30.0
"""Seconds to wait for a command that prints a secret: it may ask for a passphrase in a window of its own."""

_VARIABLE = re.compile(r"(?=.{1,40}\Z)([A-Z]+[0-9]?|[A-Z][A-Z0-9]*_[A-Z0-9_]*|_[A-Z0-9_]+)")
"""Names that can only be those of variables: capitals and digits without an underscore (`AKIA3...`) may be a secret."""


@dataclass(frozen=True, slots=True)
class InlineSecret:
    """A secret that stands in the file itself."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    """An environment variable; its name stays out of `repr`, as a user may have put the secret there by mistake."""

    name: str = field(repr=False)

    @property
    def shown_name(self) -> str | None:
        """The name, unless it may be the secret itself."""
        return self.name if _VARIABLE.fullmatch(self.name) else None


@dataclass(frozen=True, slots=True)
class CommandSecret:
    """A program and its arguments; the first line of its output is the secret."""

    arguments: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret by its source; `location` is the key that names the source."""

    location: Location
    source: InlineSecret | EnvironmentSecret | CommandSecret

    def __post_init__(self) -> None:
        if isinstance(self.source, CommandSecret) and not self.source.arguments[0]:
            raise BadConfig(self.location, COMMAND_EXPECTED)

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
            case EnvironmentSecret(name) as environment:
                if value := os.environ.get(name):
                    return value
                variable = f"variable {name}" if environment.shown_name else "variable that it names"
                raise BadConfig(self.location, f"the {variable} is not set in the environment.")
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
            raise BadConfig(self.location, f"the command took more than {timeout:g} seconds.") from None
        except OSError as error:
            raise BadConfig(self.location, f"the command cannot be started ({error.strerror}).") from None
        except ValueError:
            raise BadConfig(self.location, "the output of the command is not text.") from None
        if done.returncode:
            raise BadConfig(self.location, f"the command ended with code {done.returncode}; run it by hand to see why.")
        if not lines or not lines[0]:
            raise BadConfig(self.location, "the first line of its output is empty.")
        return lines[0]


def secrets_of(table: dict[str, Any], at: Location) -> dict[str, Secret]:
    """Return the secrets of headers, cookies or query by their names; raise BadConfig for one of a wrong type."""
    return {name: _secret_of(value, at.child(name)) for name, value in table.items()}


def _secret_of(value: object, at: Location) -> Secret:
    match value:
        case {"env": variable, **others} if not others:
            at = at.child("env")
            return Secret(at, EnvironmentSecret(convert(Variable, variable, at)))
        case {"command": arguments, **others} if not others:
            at = at.child("command")
            return Secret(at, CommandSecret(convert(Command, arguments, at)))
    return Secret(at, InlineSecret(convert(SecretText, value, at)))


def login_secret(key: str, text: str, variable: str, arguments: tuple[str, ...], at: Location) -> Secret | None:
    """Return the secret under `key`, `key_env` or `key_command` of a table; raise BadConfig if several are set."""
    sources = {
        key: InlineSecret(text) if text else None,
        f"{key}_env": EnvironmentSecret(variable) if variable else None,
        f"{key}_command": CommandSecret(arguments) if arguments else None,
    }
    given = [name for name, source in sources.items() if source]
    if len(given) > 1:
        raise BadConfig(at.child(given[1]), f"{given[0]} is already set: remove one of them.")
    return next((Secret(at.child(name), source) for name, source in sources.items() if source), None)
