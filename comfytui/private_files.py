"""Atomic writes of the program's small files, such as the last server used; only the user can read them."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp


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
    descriptor, name = mkstemp(dir=file.parent, prefix=f"{file.name}-", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as temporary:
            temporary.write(content)
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
