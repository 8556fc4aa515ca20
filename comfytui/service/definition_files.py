"""The definitions of servers' node classes on the disk, and in files that the user names."""

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from comfytui.comfy.limits import DEFINITIONS_LIMIT, MIB, LimitExceeded
from comfytui.comfy.protocol.definitions_json import Definitions, DefinitionsReader
from comfytui.private_files import remove_partial, replace_private
from comfytui.service.journal.paths import state_folder

SUFFIX = ".json.gz"
FILES_LIMIT = 8
"""Files that are kept, those used last."""
READ_SIZE = 256 * 1024
VERSION_DIGITS = 8
"""Hexadecimal digits that stand for the version in a file's name."""
GZIP_MAGIC = b"\x1f\x8b"
_GZIP = zlib.MAX_WBITS | 16


class DefinitionFiles:
    """The definitions that servers had the last time, one file for each server and version of ComfyUI.

    Only the user can read them: they hold the names of models. Several processes may use the folder at the same time.
    A file that cannot be read counts as missing, and one that cannot be written is not: nothing depends on them.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, fingerprint: str) -> Definitions | None:
        """Return what a server had the last time, whatever its version was; None if that is not known.

        A file that is damaged is removed.
        """
        for file in self._files(f"{fingerprint}-*{SUFFIX}"):
            try:
                definitions = read_definitions(file)
            except ValueError:
                with suppress(OSError):
                    file.unlink()
            except OSError:
                pass
            else:
                with suppress(OSError):
                    os.utime(file)
                return definitions
        return None

    def write(self, fingerprint: str, version: str, definitions: Definitions) -> None:
        """Keep the definitions of a server, instead of those that it had with the same version."""
        digest = hashlib.sha256(version.encode(errors="replace")).hexdigest()[:VERSION_DIGITS]
        with suppress(OSError):
            content = gzip.compress(b"".join(_json_of(definitions)), compresslevel=1)
            replace_private(self._folder / f"{fingerprint}-{digest}{SUFFIX}", content)
            self._remove_old()

    def _remove_old(self) -> None:
        """Remove the files that were not used for the longest time, and those that were never completed."""
        for file in self._files(f"*{SUFFIX}")[FILES_LIMIT:]:
            file.unlink(missing_ok=True)
        remove_partial(self._folder)

    def _files(self, pattern: str) -> list[Path]:
        """Return the files that match, the one used last first."""
        return sorted(self._folder.glob(pattern), key=_last_use, reverse=True)


def definitions_folder(folder: Path) -> Path:
    """Return where definitions are kept, by the folder of the journal: with it, if the user chose that."""
    from platformdirs import user_cache_path

    return (user_cache_path("comfytui") if folder == state_folder() else folder) / "definitions"


def read_definitions(file: Path) -> Definitions:
    """Read the definitions in a file, such as a saved response of `/object_info`, also one compressed by gzip.

    Raises:
        ValueError: The file holds anything else, or too much; the message says so in a few words.
        OSError: It cannot be read.
    """
    reader = DefinitionsReader()
    try:
        for data in _read(file):
            reader.feed(data)
            reader.read()
        reader.read_rest()
        return reader.definitions()
    except _UnreadableError:
        raise
    except zlib.error:
        raise ValueError("it is damaged") from None
    except LimitExceeded:
        raise ValueError("it holds more than comfytui reads") from None
    except ValueError:
        raise ValueError("it holds no node definitions") from None


class _UnreadableError(ValueError):
    """The file is not read; the message says why."""


def _read(file: Path) -> Iterator[bytes]:
    """Yield the content of a file, decompressed and limited.

    Raises:
        ValueError: There is too much of it, or a part is missing.
        OSError: It cannot be read.
        zlib.error: It is damaged.
    """
    # A pipe would wait for its writer.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise _UnreadableError("it is not a file")
        is_compressed = opened.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        opened.seek(0)
        decompressor = zlib.decompressobj(_GZIP)
        size = 0
        while data := opened.read(READ_SIZE):
            while data:
                piece = decompressor.decompress(data, READ_SIZE) if is_compressed else data
                data = decompressor.unconsumed_tail if is_compressed else b""
                size += len(piece)
                if size > DEFINITIONS_LIMIT:
                    raise _UnreadableError(f"it is larger than {DEFINITIONS_LIMIT // MIB} MiB")
                yield piece
        if is_compressed and not decompressor.eof:
            raise _UnreadableError("a part of it is missing")


def _json_of(definitions: Definitions) -> Iterator[bytes]:
    """Yield JSON one definition at a time: encoding all of them at once would hold up the other threads."""
    separator = b"{"
    for name, definition in definitions.items():
        yield separator + json.dumps(name).encode() + b": " + json.dumps(definition).encode()
        separator = b",\n"
    yield b"}" if separator == b",\n" else b"{}"


def _last_use(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0
