"""The decoder of pictures, seen from the program: one process, asked for one picture at a time."""

import atexit
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import BinaryIO

from comfytui.ui.images.decoder_process import PIXELS_PER_CELL, REPLY, REQUEST

PROGRAM = (sys.executable, "-P", "-m", "comfytui.ui.images.decoder_process")
REASON_BYTES = 100
"""Bytes of a reason for which there are no pixels."""
END_SECONDS = 1.0
"""Seconds for the end of a process that was killed."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Pixels:
    """A picture of `width` times `height` pixels, RGB or one level of grey each."""

    width: int
    height: int
    data: bytes


class DecodeError(Exception):
    """Why there are no pixels, in a few words."""


class Decoder:
    """Starts its process with the first picture, and anew after one that the process did not live through.

    A process, since no thread can be killed whose decoder takes minutes over a hostile picture; one that lasts, since
    starting it takes longer than decoding a preview, of which there are ten a second.
    """

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self._turn = Lock()

    def decode(self, data: bytes, room: tuple[int, int], background: Rgb | None) -> Pixels:
        """Decode a picture as large as fits in `room` columns and rows; blocks, so call it in a thread.

        Raises:
            UndecodedError: It is no picture, or costs too much, or `stop` was called.
        """
        header = REQUEST.pack(len(data), *room, background is not None, *(background or (0, 0, 0)))
        with self._turn:
            try:
                requests, replies = self._pipes()
                requests.write(header)
                requests.write(data)
                requests.flush()
                return _pixels(replies, room, 1 if background is None else 3)
            except (OSError, EOFError):
                self._end()
                raise DecodeError("takes too long") from None

    def kill(self) -> None:
        """Give up the picture that is being decoded, from another thread; the next one starts another process."""
        if child := self._child:
            child.kill()

    def stop(self) -> None:
        """End the process, in the middle of a picture as well, and wait for that."""
        self.kill()
        if self._turn.acquire(timeout=END_SECONDS):
            self._end()
            self._turn.release()

    def _pipes(self) -> tuple[BinaryIO, BinaryIO]:
        if self._child and self._child.poll() is not None:
            self._end()
        self._child = child = self._child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        return child.stdin, child.stdout  # type: ignore[return-value]

    def _start(self) -> subprocess.Popen[bytes]:
        # It imports what we can import, and the signals of our terminal do not reach it.
        path = os.pathsep.join(entry for entry in sys.path if entry)
        return subprocess.Popen(
            self._program,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        with suppress(subprocess.TimeoutExpired):
            child.wait(END_SECONDS)
        for pipe in (child.stdin, child.stdout):
            with suppress(OSError):
                if pipe:
                    pipe.close()


def _pixels(replies: BinaryIO, room: tuple[int, int], bands: int) -> Pixels:
    """One reply, believed only as far as it can be true: who decodes what is hostile may be taken over by it."""
    width, height, size = REPLY.unpack(_exactly(replies, REPLY.size))
    if not width and size <= REASON_BYTES:
        raise DecodeError(_exactly(replies, size).decode("ascii", "replace"))
    if width > room[0] or height > room[1] * PIXELS_PER_CELL or size != width * height * bands:
        raise EOFError
    return Pixels(width, height, _exactly(replies, size))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


DECODER = Decoder()
"""The one that all pictures share."""
atexit.register(DECODER.stop)
