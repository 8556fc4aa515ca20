"""A websocket connection that takes in no more than can be borne, whatever the server sends."""

import asyncio
from weakref import WeakSet

from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response

from comfytui.comfy.limits import FRAME_LIMIT, KIB, MIB, PREVIEW_LIMIT, TEXT_FRAME_LIMIT

STEP = 16 * KIB
"""Bytes that are decompressed before it is seen what became of them: up to a thousand times as much."""
PAUSE_SIZE = PREVIEW_LIMIT
"""Bytes of messages that wait to be read, beyond which no more are taken from the network."""
WAITING_LIMIT = 2 * FRAME_LIMIT
"""Bytes that wait to be read, of all connections: beyond them few bytes were compressed to many."""
FRAGMENTS_LIMIT = 4_096
"""Fragments of one message."""
ANSWERS_LIMIT = MIB
"""Bytes of pongs that the server does not read, while it sends pings."""
PINGS_LIMIT = 1_000
"""Pings and pongs within a second; a server sends one in many."""
TURN_SECONDS = 0.01
"""Seconds of reading messages after which others have their turn."""

REFUSED = "The server sent"
"""What each reason for a closing begins with."""


TOO_MUCH = f"{REFUSED} more than {WAITING_LIMIT // MIB} MiB at once."
"""Why a connection is closed where too much waits."""


class BoundedConnection(ClientConnection):
    """Closes with MESSAGE_TOO_BIG, and a reason for the user, where a server sends too much at once."""

    _waiting = 0
    _unfinished = 0
    _refused = False
    _pings = 0
    _pings_since = 0.0
    _is_text = False
    _size = 0
    _fragments = 0
    _rested = 0.0

    def data_received(self, data: bytes) -> None:
        """Take bytes in, a few at a time."""
        for begin in range(0, len(data), STEP):
            if self._refused:
                return
            _OPEN.add(self)
            self._unfinished += len(data[begin : begin + STEP])
            super().data_received(data[begin : begin + STEP])
            if not self._refused and self._waits_for_too_much():
                self._refuse(TOO_MUCH)
        if self.transport.get_write_buffer_size() > ANSWERS_LIMIT:
            self.transport.abort()

    def process_event(self, event: Frame | Response) -> None:  # type: ignore[override]
        """Count a frame before it is kept."""
        if self._refused:
            return
        self._unfinished = 0
        if isinstance(event, Frame) and event.opcode in _CONTROL and self._is_flood_of_pings():
            self._refuse(f"{REFUSED} more than {PINGS_LIMIT:,} pings within a second.")
            return
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

    def connection_lost(self, exc: Exception | None) -> None:
        """Count for the other connections no longer: what is left is read at once, or by nobody."""
        _OPEN.discard(self)
        super().connection_lost(exc)

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
        return TOO_MUCH if self._waits_for_too_much() else ""

    def _waits_for_too_much(self) -> bool:
        return sum(each._waiting + each._unfinished for each in tuple(_OPEN)) > WAITING_LIMIT

    def _is_flood_of_pings(self) -> bool:
        if self.loop.time() - self._pings_since > 1.0:
            self._pings, self._pings_since = 0, self.loop.time()
        self._pings += 1
        return self._pings > PINGS_LIMIT

    def _refuse(self, reason: str) -> None:
        self._refused = True
        self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, reason)
        self.send_data()
        # What the server still sends would be read up to its own end of the connection.
        self.transport.abort()


_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_CONTROL = frozenset({Opcode.PING, Opcode.PONG})
_OPEN: WeakSet[BoundedConnection] = WeakSet()
"""The connections of this process, which share one limit."""
