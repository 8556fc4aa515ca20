"""Read values of a TOML table with the type that they must have; errors name file and key, and quote no value."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comfytui.config.secret import BadConfig, CommandSecret, EnvironmentSecret, InlineSecret, Secret
from comfytui.sanitize import sanitize


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the config file. All readers of values raise BadConfig for a value of a wrong type."""

    file: Path
    key: str
    """The dotted key of the table; empty for the whole file."""
    values: dict[str, Any] = field(repr=False)

    def location(self, key: str) -> str:
        """Return file and dotted key, with which messages begin."""
        return f"{sanitize(str(self.file), 200)}, {sanitize(f'{self.key}.{key}' if self.key else key, 100)}"

    def error(self, key: str, message: str) -> BadConfig:
        """Return the error to raise for a key; `message` is one sentence."""
        return BadConfig(f"{self.location(key)}: {message}")

    def reject_unknown_keys(self, known: Collection[str]) -> None:
        """Raise BadConfig if the table has any other key."""
        for key in self.values:
            if key not in known:
                raise self.error(key, f"unknown key; the known ones are {', '.join(sorted(known))}.")

    def text(self, key: str) -> str:
        """Return a string; empty if the key is missing, which a value must not be."""
        value = self.values.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, "this must be text in quotes.")
        if key in self.values and not value:
            raise self.error(key, "this is empty: fill it in, or remove it.")
        return value

    def flag(self, key: str) -> bool:
        """Return a boolean; False if the key is missing."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, "this must be true or false, without quotes.")
        return value

    def path(self, key: str) -> Path | None:
        """Return a path, relative to the folder of the config file; None if the key is missing."""
        text = self.text(key)
        try:
            return self.file.parent / Path(text).expanduser() if text else None
        except RuntimeError:
            raise self.error(key, "no user has this home folder.") from None

    def table(self, key: str) -> "Table":
        """Return a nested table; empty if the key is missing."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.error(key, "this must be a table of keys and values.")
        return Table(self.file, f"{self.key}.{key}" if self.key else key, value)

    def secret(self, key: str) -> Secret | None:
        """Return the secret under `key`, `key_env` or `key_command`, of which at most one may be set."""
        given = [name for name in (key, f"{key}_env", f"{key}_command") if name in self.values]
        if len(given) > 1:
            raise self.error(given[1], f"{given[0]} is already set: remove one of them.")
        for name in given:
            return self._secret_at(name, name.removeprefix(key).removeprefix("_"))
        return None

    def secrets(self) -> dict[str, Secret]:
        """Return every value as a secret: a string, `{ env = NAME }` or `{ command = [...] }`."""
        return {key: self._text_or_reference(key) for key in self.values}

    def _text_or_reference(self, key: str) -> Secret:
        match self.values[key]:
            case str() as text:
                return Secret(self.location(key), InlineSecret(text))
            case {"env": _, **more} | {"command": _, **more} if not more:
                ((kind, _),) = self.values[key].items()
                return self.table(key)._secret_at(kind, kind)
        raise self.error(key, 'this must be text in quotes, { env = "NAME" } or { command = ["program", "argument"] }.')

    def _secret_at(self, key: str, kind: str) -> Secret:
        """Return the secret under a key; `kind` is "env", "command", or empty for the secret itself."""
        match kind:
            case "env":
                name = self.text(key)
                if "=" in name or "\0" in name:
                    raise self.error(key, "this must be the name of an environment variable.")
                return Secret(self.location(key), EnvironmentSecret(name))
            case "command":
                return Secret(self.location(key), CommandSecret(self._arguments(key)))
        return Secret(self.location(key), InlineSecret(self.text(key)))

    def _arguments(self, key: str) -> tuple[str, ...]:
        arguments = self.values[key]
        valid = isinstance(arguments, list) and all(isinstance(each, str) and "\0" not in each for each in arguments)
        if not valid or not arguments or not arguments[0]:
            raise self.error(key, 'this must be a list of a program and its arguments, as ["pass", "show", "gpu-box"].')
        return tuple(arguments)
