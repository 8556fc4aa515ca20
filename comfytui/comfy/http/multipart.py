"""The body of an upload: a form with one file, which is read from the disk as it is sent."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path, PurePosixPath
from stat import S_ISREG
from uuid import uuid4

from comfytui.comfy.limits import KIB

Progress = Callable[[int, int], object]
"""Called with the bytes that were sent, and with all that there are."""

CHUNK = 256 * KIB
"""Bytes that are read and sent at once."""
NAME_LIMIT = 200
"""Bytes of a file name in UTF-8; file systems take 255, of which the server may need some for a number."""
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff"*/:<>?\\|]')
"""What no header of a form can hold, and what file systems do not take."""


class UploadBody:
    """A form with fields and one file, as an asynchronous iterable of its bytes.

    Args:
        source: The file, or its content.
        name: The file's name on the server.
        fields: The other fields of the form.
        report: Gets the progress, after each `CHUNK`.

    Raises:
        OSError: The file cannot be read.
    """

    def __init__(
        self, source: Path | bytes, name: str, fields: Mapping[str, str], report: Progress = lambda _, __: None
    ) -> None:
        boundary = f"comfytui-{uuid4().hex}"
        self._source = source
        self._report = report
        self._version: tuple[int, ...] = ()
        self.size = len(source) if isinstance(source, bytes) else 0
        """Bytes of the file."""
        if isinstance(source, Path):
            status = source.stat()
            if not S_ISREG(status.st_mode):
                raise OSError("it is not a file")
            self.size, self._version = status.st_size, _version_of(status)
        self.sent = 0
        """Bytes of the file that were sent by now."""
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"\r\n\r\n{value}\r\n'
            for field, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        self._head = "".join(parts).encode(errors="replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(self._head) + self.size + len(self._tail)),
        }
        """The headers of the request."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the form.

        Raises:
            OSError: The file cannot be read, or has changed.
        """
        self.sent = 0
        self._report(0, self.size)
        yield self._head
        while self.sent < self.size:
            size = min(CHUNK, self.size - self.sent)
            if isinstance(self._source, bytes):
                chunk = self._source[self.sent : self.sent + size]
            else:
                chunk = await asyncio.to_thread(self._read, self._source, self.sent, size)
            yield chunk
            self.sent += size
            self._report(self.sent, self.size)
        yield self._tail

    def _read(self, source: Path, start: int, size: int) -> bytes:
        # Opened for each chunk: a read that is cancelled goes on in its thread, and must not find its file closed.
        with source.open("rb") as file:
            if _version_of(os.fstat(file.fileno())) != self._version:
                raise OSError("it changed while it was sent")
            file.seek(start)
            return file.read(size)


def _version_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what differs if a file is replaced or changed."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def upload_name(name: str) -> str:
    """Return a file name that a form can hold and any file system takes; `image` if nothing is left of it."""
    path = PurePosixPath(_FORBIDDEN.sub("_", name).strip(" ."))
    extension = path.suffix[: NAME_LIMIT // 4]
    stem = path.stem.encode()[: NAME_LIMIT - len(extension.encode())].decode(errors="ignore")
    return (stem or "image") + extension
