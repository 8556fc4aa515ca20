"""Presets on the disk: what a form holds, under a name, for each workflow."""

import hashlib
import json
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comfytui.private_files import read_small, remove_partial, replace_private
from comfytui.sanitize import sanitize

NAME_LIMIT = 100
"""Characters of a name."""
FILE_LIMIT = 8 * 2**20
"""Bytes of a preset; one with a prompt of a million characters is smaller."""
PRESETS_LIMIT = 1_000
"""Presets of one workflow that are listed, those saved last."""
SUFFIX = ".json"

Texts = Mapping[str, str]
"""The text of each control of the form by the control's id, as it was typed."""


class PresetError(Exception):
    """A preset was not saved, renamed or deleted; the message says why."""


class PresetExists(PresetError):
    """There is a preset of that name already."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One preset in a list."""

    name: str
    saved: float
    """When it was saved last, in wall-clock seconds."""


class Presets:
    """The presets of one workflow, each in a file of its own that only the user can read.

    So a file that is damaged takes none of the others with it, and several processes may use the folder at the same
    time: each sees what the others saved. A damaged file counts as missing, and is replaced by a preset of its name.

    Args:
        folder: The state folder.
        workflow: What identifies the workflow; any text.
    """

    def __init__(self, folder: Path, workflow: str) -> None:
        self._folder = folder / "presets" / _digest(workflow)

    def all(self) -> tuple[Preset, ...]:
        """Return the presets, the one saved last first."""
        files = sorted(((_saved(file), file) for file in self._folder.glob(f"*{SUFFIX}")), reverse=True)
        read = ((saved, _read(file)) for saved, file in files[:PRESETS_LIMIT])
        return tuple(Preset(stored[0], saved) for saved, stored in read if stored is not None)

    def load(self, name: str) -> Texts | None:
        """Return what a preset holds; None if there is none of that name."""
        stored = _read(self._file(name))
        return stored[1] if stored is not None and stored[0] == preset_name(name) else None

    def save(self, name: str, texts: Texts, *, replace: bool = False) -> str:
        """Save a preset; return its name, which is one line of limited length.

        Args:
            name: What the user called it.
            texts: What it is to hold.
            replace: Whether it may replace one of that name.

        Raises:
            PresetExists: There is one already.
            PresetError: It cannot be written, or the name is empty.
        """
        shown = preset_name(name)
        if not shown:
            raise PresetError("A preset needs a name.")
        if not replace and self.load(name) is not None:
            raise PresetExists(f"There is a preset named {shown} already.")
        self._write(shown, texts)
        return shown

    def _write(self, shown: str, texts: Texts) -> None:
        content = json.dumps({"name": shown, "texts": dict(texts)}).encode()
        if len(content) > FILE_LIMIT:
            raise PresetError(f"The preset {shown} is too large to be saved.")
        try:
            replace_private(self._file(shown), content)
            remove_partial(self._file(shown).parent)
        except OSError as error:
            raise PresetError(f"The preset {shown} could not be saved: {_reason(error)}.") from None

    def rename(self, name: str, new_name: str) -> str:
        """Rename a preset; return its new name. Raises as `save` does, and PresetError if there is no such preset."""
        texts = self.load(name)
        if texts is None:
            raise PresetError(f"There is no preset named {preset_name(name)} any more.")
        if preset_name(new_name) == preset_name(name):
            return preset_name(name)
        shown = self.save(new_name, texts)
        self.delete(name)
        return shown

    def delete(self, name: str) -> None:
        """Delete a preset, if there is one of that name.

        Raises:
            PresetError: It cannot be deleted.
        """
        try:
            self._file(name).unlink(missing_ok=True)
        except OSError as error:
            raise PresetError(f"The preset {preset_name(name)} could not be deleted: {_reason(error)}.") from None

    def _file(self, name: str) -> Path:
        return self._folder / f"{_digest(preset_name(name))}{SUFFIX}"


class TransientPresets(Presets):
    """The presets of one workflow in a program that keeps nothing on the disk.

    Args:
        kept: The presets by their names: when each was saved, and what it holds.
    """

    def __init__(self, kept: dict[str, tuple[float, Texts]]) -> None:
        self._kept = kept

    def all(self) -> tuple[Preset, ...]:
        """Return the presets, the one saved last first."""
        presets = (Preset(name, saved) for name, (saved, _) in self._kept.items())
        return tuple(sorted(presets, key=lambda each: each.saved, reverse=True))

    def load(self, name: str) -> Texts | None:
        """Return what a preset holds; None if there is none of that name."""
        _, texts = self._kept.get(preset_name(name), (0.0, None))
        return texts

    def delete(self, name: str) -> None:
        """Delete a preset, if there is one of that name."""
        self._kept.pop(preset_name(name), None)

    def _write(self, shown: str, texts: Texts) -> None:
        self._kept[shown] = (time.time(), dict(texts))


def preset_name(name: str) -> str:
    """Return the name under which a preset is kept: one line without hidden characters, empty if nothing is left."""
    return sanitize(unicodedata.normalize("NFC", name), NAME_LIMIT).strip()


def _read(file: Path) -> tuple[str, Texts] | None:
    """Return the name and the texts in a file; None if it cannot be read or holds anything else."""
    try:
        stored: Any = json.loads(read_small(file, FILE_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    match stored:
        case {"name": str(name), "texts": dict(texts)} if preset_name(name) and file.stem == _digest(preset_name(name)):
            return preset_name(name), {key: text for key, text in texts.items() if isinstance(text, str)}
    return None


def _saved(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def _reason(error: OSError) -> str:
    return (error.strerror or "the disk does not allow it").lower()
