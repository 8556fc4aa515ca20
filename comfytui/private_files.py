"""Small files of the program's own, each written whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp


def replace_private(file: Path, content: bytes) -> None:
    """Write a file, and its folder if need be, for the user alone; where that fails, what was there before stays.

    Several processes may write it at once: each writes a file of its own, and the last one stays.

    Raises:
        OSError: It cannot be written. Nothing half-written is left behind.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = mkstemp(dir=file.parent, prefix=f"{file.name}-", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as new:
            new.write(content)
        Path(name).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
