"""Client of the decoder process: starts it, sends it one image at a time, and can give an image up."""

import atexit
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import BinaryIO

from comfytui.decoding.decoder_process import PIXELS_PER_CELL, REPLY, REQUEST

PROGRAM = (sys.executable, "-P", "-m", "comfytui.decoding.decoder_process")
REASON_MAX_BYTES = 100
"""Bytes that the reason of a failure may have."""
KILL_TIMEOUT = 1.0
"""Seconds to wait for the exit of a killed process."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded image of `width` times `height` pixels, each RGB or one level of grey."""

    width: int
    height: int
    data: bytes


class DecodeError(Exception):
    """An image could not be decoded; the message says why in a few words."""


class Decoder:
    """Decodes images in a process that is started for the first image, and again after an image that ended it.

    A process, because a thread cannot be killed while it spends minutes decoding a hostile image. The process is kept,
    because starting it takes longer than decoding a preview, and there are ten previews a second.
    """

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = Lock()

    def decode(
        self, data: bytes, max_cells: tuple[int, int], background: Rgb | None, *, enlarge: bool = True
    ) -> Pixels:
        """Decode an image; blocks, so call it in a thread.

        Args:
            data: A JPEG, PNG or WEBP file.
            max_cells: Columns and rows; the image is scaled to the largest size that fits.
            background: The colour behind transparent pixels, for pixels in RGB; None for levels of grey.
            enlarge: Whether a small image is scaled up.

        Raises:
            DecodeError: The data is not an image, the image takes too much time or memory, or `kill` or `stop` was
                called.
        """
        header = REQUEST.pack(len(data), *max_cells, enlarge, background is not None, *(background or (0, 0, 0)))
        with self._lock:
            try:
                requests, replies = self._pipes()
                requests.write(header)
                requests.write(data)
                requests.flush()
                return _read_pixels(replies, max_cells, 1 if background is None else 3)
            except (OSError, EOFError):
                self._discard_process()
                raise DecodeError("takes too long") from None

    def kill(self) -> None:
        """Give up the image that is being decoded; called from another thread. The next image starts a new process."""
        if process := self._process:
            process.kill()

    def stop(self) -> None:
        """End the process, even in the middle of an image, and wait for its exit."""
        self.kill()
        if self._lock.acquire(timeout=KILL_TIMEOUT):
            self._discard_process()
            self._lock.release()

    def _pipes(self) -> tuple[BinaryIO, BinaryIO]:
        if self._process and self._process.poll() is not None:
            self._discard_process()
        self._process = process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        return process.stdin, process.stdout  # type: ignore[return-value]

    def _start(self) -> subprocess.Popen[bytes]:
        # It gets our import path, and a session of its own, which the signals of our terminal do not reach.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )

    def _discard_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        with suppress(subprocess.TimeoutExpired):
            process.wait(KILL_TIMEOUT)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()


def _read_pixels(replies: BinaryIO, max_cells: tuple[int, int], bands: int) -> Pixels:
    """Read a reply, and check it: a hostile image may have taken over the process that decodes it.

    Raises:
        DecodeError: The process could not decode the image.
        EOFError: The reply is incomplete or cannot be true.
    """
    width, height, size = REPLY.unpack(_read_exactly(replies, REPLY.size))
    if not width and size <= REASON_MAX_BYTES:
        raise DecodeError(_read_exactly(replies, size).decode("ascii", "replace"))
    if width > max_cells[0] or height > max_cells[1] * PIXELS_PER_CELL or size != width * height * bands:
        raise EOFError
    return Pixels(width, height, _read_exactly(replies, size))


def _read_exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


DECODER = Decoder()
"""The decoder that all images share."""
atexit.register(DECODER.stop)
