"""Open a file that a user names, whatever it is, without waiting for one that may never end."""

import io
import os
import re
import select
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from comfytui.sanitize import sanitize
from comfytui.workflow.errors import WorkflowError
from comfytui.workflow.json_text import MAX_VALUES, count_values, too_many_values

MAX_TEXT_BYTES: Final = 32 * 2**20
"""The size of the largest text that is read, and of all that is taken from a pipe."""
PIPE_SECONDS: Final = 20.0
"""How long a pipe may take until it ends."""
_PIECE: Final = 2**20
_WINDOWS_PATH: Final = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_URL: Final = re.compile(r"(https?|ftp|file):/", re.IGNORECASE)  # a path has no double slash


@contextmanager
def open_file(path: Path, quoted: str, *, pipe_seconds: float = PIPE_SECONDS) -> Iterator[tuple[BinaryIO, int]]:
    """Open a file for reading and seeking; a pipe is read to its end first.

    Args:
        path: The path as the user gave it.
        quoted: What the messages call it.
        pipe_seconds: How long a pipe may take until it ends.

    Yields:
        The file, and its size in bytes.

    Raises:
        WorkflowError: It cannot be opened, or an error occurs while it is read.
    """
    try:
        with _opened(path, quoted) as file:
            if stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
                content = _read_pipe(file, quoted, pipe_seconds)
                yield io.BytesIO(content), len(content)
            else:
                yield file, os.fstat(file.fileno()).st_size
    except OSError as error:
        raise _unreadable(error, path, quoted) from None


def read_text(file: BinaryIO, size: int, quoted: str) -> bytes:
    """Return the content of a file of JSON text; it is not read further than it can be used.

    Raises:
        WorkflowError: It is too large, or has too many values.
        OSError: It cannot be read.
    """
    if size > MAX_TEXT_BYTES:
        raise _too_large(quoted)
    file.seek(0)
    pieces, values, length = list[bytes](), 0, 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        length += len(piece)
        values += count_values(piece)
        if length > MAX_TEXT_BYTES:
            raise _too_large(quoted)
        if values > MAX_VALUES:
            raise too_many_values(quoted)
    return b"".join(pieces)


def _opened(path: Path, quoted: str) -> io.FileIO:
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a null byte in the path
        raise WorkflowError(f"{quoted} cannot be read ({sanitize(str(error))}): give another file.") from None
    if stat.S_ISDIR(mode):
        raise WorkflowError(f"{quoted} is a directory: give a workflow file inside it.")
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode)):
        kind = "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise WorkflowError(f"{quoted} is {kind}, not a file: give a workflow file.")
    # Without O_NONBLOCK, opening a pipe waits until there is a writer.
    return io.FileIO(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb")


def _read_pipe(pipe: io.FileIO, quoted: str, seconds: float) -> bytes:
    """Return what a pipe gives until all its writers have closed it."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    content = bytearray()
    while poll.poll(max(0, deadline - time.monotonic()) * 1_000):
        piece = pipe.read(_PIECE)
        if piece == b"":
            return bytes(content)
        content += piece or b""
        if len(content) > MAX_TEXT_BYTES:
            raise _too_large(quoted)
    raise WorkflowError(f"{quoted} is a pipe that did not end within {seconds:g} seconds: give a file.")


def _too_large(quoted: str) -> WorkflowError:
    return WorkflowError(f"{quoted} is larger than {MAX_TEXT_BYTES >> 20} MB: give the workflow's own JSON file.")


def _unreadable(error: OSError, path: Path, quoted: str) -> WorkflowError:
    match error:
        case FileNotFoundError() if _URL.match(str(path)):
            advice = "download it, and give the file"
            return WorkflowError(f"{quoted} is an address, not a file: {advice}.")
        case FileNotFoundError() if _WINDOWS_PATH.match(str(path)):
            advice = "give the path on this machine, under WSL one such as /mnt/c/Users"
            return WorkflowError(f"There is no file {quoted}, which is a path of Windows: {advice}.")
        case FileNotFoundError():
            return WorkflowError(f"There is no file {quoted}: check the path.")
        case PermissionError():
            return WorkflowError(f"Permission denied: {quoted}. Change its permissions, or give another file.")
        case _:
            reason = sanitize(error.strerror or str(error))
            return WorkflowError(f"{quoted} cannot be read ({reason}): give another file.")
