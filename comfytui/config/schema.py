"""One table of the config file, whose values come out with the type they must have, or as a sentence about the key."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comfytui.config.secret import BadConfig, Command, Literal, Secret, Variable
from comfytui.sanitize import sanitize


@dataclass(frozen=True, slots=True)
class Table:
    """The values of a table; `key` is its own, dotted, and empty for the whole file."""

    file: Path
    key: str
    values: dict[str, Any] = field(repr=False)

    def place(self, name: str) -> str:
        """File and key, as sentences begin."""
        return f"{sanitize(str(self.file), 200)}, {sanitize(f'{self.key}.{name}' if self.key else name, 100)}"

    def wrong(self, name: str, sentence: str) -> BadConfig:
        """What is wrong with a key."""
        return BadConfig(f"{self.place(name)}: {sentence}")

    def allow(self, names: Collection[str]) -> None:
        """Refuse every other key."""
        for name in self.values:
            if name not in names:
                raise self.wrong(name, f"unknown key; the known ones are {', '.join(sorted(names))}.")

    def text(self, name: str) -> str:
        """A text, or nothing."""
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise self.wrong(name, "this must be text in quotes.")
        if name in self.values and not value:
            raise self.wrong(name, "this is empty: fill it in, or remove it.")
        return value

    def flag(self, name: str) -> bool:
        """Whether something is so."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise self.wrong(name, "this must be true or false, without quotes.")
        return value

    def path(self, name: str) -> Path | None:
        """A path, which begins at the file's own folder."""
        text = self.text(name)
        try:
            return self.file.parent / Path(text).expanduser() if text else None
        except RuntimeError:
            raise self.wrong(name, "no user has this home folder.") from None

    def table(self, name: str) -> "Table":
        """A table within."""
        value = self.values.get(name, {})
        if not isinstance(value, dict):
            raise self.wrong(name, "this must be a table of keys and values.")
        return Table(self.file, f"{self.key}.{name}" if self.key else name, value)

    def tables(self) -> Iterator[tuple[str, "Table"]]:
        """Every key, which must be a table."""
        return ((name, self.table(name)) for name in self.values)

    def secret(self, name: str) -> Secret | None:
        """The one of `name`, `name_env` and `name_command` that is there."""
        given = [key for key in (name, f"{name}_env", f"{name}_command") if key in self.values]
        if len(given) > 1:
            raise self.wrong(given[1], f"{given[0]} is already set: remove one of them.")
        for key in given:
            return self._secret_at(key, key.removeprefix(name).removeprefix("_"))
        return None

    def secrets(self) -> dict[str, Secret]:
        """Every value: a text, `{ env = NAME }` or `{ command = [...] }`."""
        return {name: self._text_or_source(name) for name in self.values}

    def _text_or_source(self, name: str) -> Secret:
        if isinstance(self.values[name], str):
            return Secret(self.place(name), Literal(self.values[name]))
        match self.values[name]:
            case {"env": _, **more} | {"command": _, **more} if not more:
                ((kind, _),) = self.values[name].items()
                return self.table(name)._secret_at(kind, kind)
        raise self.wrong(
            name, 'this must be text in quotes, { env = "NAME" } or { command = ["program", "argument"] }.'
        )

    def _secret_at(self, key: str, kind: str) -> Secret:
        match kind:
            case "env":
                name = self.text(key)
                if "=" in name or "\0" in name:
                    raise self.wrong(key, "this must be the name of an environment variable.")
                return Secret(self.place(key), Variable(name))
            case "command":
                return Secret(self.place(key), Command(self._words(key)))
        return Secret(self.place(key), Literal(self.text(key)))

    def _words(self, key: str) -> tuple[str, ...]:
        words = self.values[key]
        good = isinstance(words, list) and all(isinstance(word, str) and "\0" not in word for word in words)
        if not good or not words or not words[0]:
            raise self.wrong(key, 'this must be a list of a program and its arguments, as ["pass", "show", "gpu-box"].')
        return tuple(words)
