"""The program's small files, such as the last server used: written atomically, and only the user can read them."""

import os
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from tempfile import mkstemp
from typing import Final

PARTIAL: Final = ".new"
"""The suffix of files that are being written."""
PARTIAL_SECONDS: Final = 3600.0
"""Age from which on such a file is left over from a writer that was killed."""


def read_small(file: Path, limit: int) -> bytes:
    """Return the content of a small file, without waiting for a pipe or a device that stands in its place.

    Args:
        file: The file.
        limit: The most bytes that it may have.

    Raises:
        OSError: It cannot be read, is no file, or is larger.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("it is not a file")
        content = opened.read(limit + 1)
    if len(content) > limit:
        raise OSError("it is too large")
    return content


def replace_private(file: Path, content: bytes) -> None:
    """Write a file that only the user can read, and create its folder if necessary.

    The write is atomic: if it fails, the old content stays. Several processes may write at the same time; each
    writes a temporary file of its own, and the last one to finish wins.

    Args:
        file: The file to create or replace.
        content: Its whole new content.

    Raises:
        OSError: The file cannot be written. No partial file is left behind.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = mkstemp(dir=file.parent, prefix=f"{file.name}-", suffix=PARTIAL)
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(content)
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def remove_partial(folder: Path) -> None:
    """Remove files in a folder that were never completed, since their writer was killed."""
    for file in folder.glob(f"*{PARTIAL}"):
        with suppress(OSError):
            if time.time() - file.lstat().st_mtime > PARTIAL_SECONDS:
                file.unlink()
