"""A websocket connection that takes in no more than can be borne, whatever the server sends."""

import asyncio

from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response

from comfytui.comfy.limits import FRAME_LIMIT, KIB, MIB, PREVIEW_LIMIT, TEXT_FRAME_LIMIT

STEP = 16 * KIB
"""Bytes that are decompressed before it is seen what became of them: up to a thousand times as much."""
PAUSE_SIZE = PREVIEW_LIMIT
"""Bytes of messages that wait to be read, beyond which no more are taken from the network."""
WAITING_LIMIT = 2 * FRAME_LIMIT
"""Bytes of messages that wait to be read: beyond them few bytes were compressed to many."""
FRAGMENTS_LIMIT = 4_096
"""Fragments of one message."""
ANSWERS_LIMIT = MIB
"""Bytes of pongs that the server does not read, while it sends pings."""
TURN_SECONDS = 0.01
"""Seconds of reading messages after which others have their turn."""

REFUSED = "The server sent"
"""What each reason for a closing begins with."""


class BoundedConnection(ClientConnection):
    """Closes with MESSAGE_TOO_BIG, and a reason for the user, where a server sends too much at once."""

    _waiting = 0
    _is_text = False
    _size = 0
    _fragments = 0
    _rested = 0.0

    def data_received(self, data: bytes) -> None:
        """Take bytes in, a few at a time."""
        for begin in range(0, len(data), STEP):
            super().data_received(data[begin : begin + STEP])
        if self.transport.get_write_buffer_size() > ANSWERS_LIMIT:
            self.transport.abort()

    def process_event(self, event: Frame | Response) -> None:  # type: ignore[override]
        """Count a frame before it is kept."""
        if isinstance(event, Frame) and event.opcode in _DATA:
            if event.opcode is not Opcode.CONT:
                self._is_text = event.opcode is Opcode.TEXT
                self._size = self._fragments = 0
            self._size += len(event.data)
            self._fragments += 1
            self._waiting += len(event.data)
            if excess := self._excess():
                self._refuse(excess)
                return
        super().process_event(event)
        if self._waiting > PAUSE_SIZE and not self.recv_messages.paused:
            # As the queue of messages does it at a number of them, however large; it resumes when it is read.
            self.recv_messages.paused = True
            self.transport.pause_reading()

    async def next_message(self) -> bytes:
        """The next message, whatever its kind."""
        message = await self.recv(decode=False)
        self._waiting -= len(message)
        return message

    async def let_others_run(self) -> None:
        """Give other tasks a turn if this one had a long one: messages that are here are read without waiting."""
        if self.loop.time() - self._rested > TURN_SECONDS:
            await asyncio.sleep(0)
            self._rested = self.loop.time()

    def _excess(self) -> str:
        """What there is too much of."""
        if self._is_text and self._size > TEXT_FRAME_LIMIT:
            return f"{REFUSED} a text of more than {TEXT_FRAME_LIMIT // MIB} MiB."
        if self._fragments > FRAGMENTS_LIMIT:
            return f"{REFUSED} a message in more than {FRAGMENTS_LIMIT:,} fragments."
        if self._waiting > WAITING_LIMIT:
            return f"{REFUSED} more than {WAITING_LIMIT // MIB} MiB at once."
        return ""

    def _refuse(self, reason: str) -> None:
        self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, reason)
        self.send_data()
        # What the server still sends would be read up to its own end of the connection.
        self.transport.abort()


_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
