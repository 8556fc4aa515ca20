"""A websocket connection with limits on memory and time, whatever the server sends."""

import asyncio
from weakref import WeakSet

from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Response

from comfytui.comfy.limits import FRAME_LIMIT, KIB, MIB, PREVIEW_LIMIT, TEXT_FRAME_LIMIT

DECOMPRESSED_STEP = 16 * KIB
"""Bytes that are decompressed before limits are checked: they may expand a thousandfold."""
PAUSE_SIZE = PREVIEW_LIMIT
"""Bytes of unread messages beyond which reading from the network pauses."""
UNREAD_LIMIT = 2 * FRAME_LIMIT
"""Bytes of unread messages of all connections; more are possible only with extreme compression."""
FRAGMENTS_LIMIT = 4_096
"""Fragments of one message."""
PONGS_LIMIT = MIB
"""Bytes of pongs that the server does not read while it sends pings."""
PINGS_LIMIT = 1_000
"""Pings and pongs received within a second; servers send one every few seconds at most."""
TURN_SECONDS = 0.01
"""Seconds of reading messages after which other tasks run."""
REASON_PREFIX = "The server sent"
"""What each reason for closing a connection begins with."""
TOO_MUCH = f"{REASON_PREFIX} more than {UNREAD_LIMIT // MIB} MiB at once."
"""The reason for closing a connection at the `UNREAD_LIMIT`."""


class BoundedConnection(ClientConnection):
    """A connection that fails with MESSAGE_TOO_BIG, and a reason for the user, if a server exceeds a limit."""

    unread_limit = UNREAD_LIMIT
    pings_limit = PINGS_LIMIT

    _unread = 0  # bytes of messages that were not read yet
    _incomplete = 0  # bytes received of a frame that is not complete
    _failed = False
    _pings = 0
    _pings_since = 0.0
    _is_text = False  # of the message being received, like the next two
    _size = 0
    _fragments = 0
    _last_yield = 0.0

    def data_received(self, data: bytes) -> None:
        """Process received bytes, a few at a time."""
        for begin in range(0, len(data), DECOMPRESSED_STEP):
            if self._failed:
                return
            _OPEN_CONNECTIONS.add(self)
            self._incomplete += len(data[begin : begin + DECOMPRESSED_STEP])
            super().data_received(data[begin : begin + DECOMPRESSED_STEP])
            if not self._failed and self._is_unread_limit_exceeded():
                self._fail(TOO_MUCH)
        if self.transport.get_write_buffer_size() > PONGS_LIMIT:
            self.transport.abort()

    def process_event(self, event: Frame | Response) -> None:  # type: ignore[override]
        """Check the limits before a frame is queued."""
        if self._failed:
            return
        self._incomplete = 0
        if isinstance(event, Frame) and event.opcode in _PING_OPCODES and self._is_ping_limit_exceeded():
            self._fail(f"{REASON_PREFIX} more than {self.pings_limit:,} pings within a second.")
            return
        if isinstance(event, Frame) and event.opcode in _DATA_OPCODES:
            if event.opcode is not Opcode.CONT:
                self._is_text = event.opcode is Opcode.TEXT
                self._size = self._fragments = 0
            self._size += len(event.data)
            self._fragments += 1
            self._unread += len(event.data)
            if reason := self._exceeded_limit():
                self._fail(reason)
                return
        super().process_event(event)
        if self._unread > PAUSE_SIZE and not self.recv_messages.paused:
            # The library pauses at a number of messages, whatever their size; it resumes when they are read.
            self.recv_messages.paused = True
            self.transport.pause_reading()

    async def next_message(self) -> bytes:
        """Return the next message as bytes, text or binary."""
        message = await self.recv(decode=False)
        self._unread -= len(message)
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop counting for the limit that connections share: what is left is read at once, or never."""
        _OPEN_CONNECTIONS.discard(self)
        super().connection_lost(exc)

    async def yield_to_loop(self) -> None:
        """Let other tasks run if this one ran for long: messages that are already here are read without waiting."""
        if self.loop.time() - self._last_yield > TURN_SECONDS:
            await asyncio.sleep(0)
            self._last_yield = self.loop.time()

    def _exceeded_limit(self) -> str:
        """Return the reason if the message being received exceeds a limit, else an empty string."""
        if self._is_text and self._size > TEXT_FRAME_LIMIT:
            return f"{REASON_PREFIX} a text of more than {TEXT_FRAME_LIMIT // MIB} MiB."
        if self._fragments > FRAGMENTS_LIMIT:
            return f"{REASON_PREFIX} a message in more than {FRAGMENTS_LIMIT:,} fragments."
        return TOO_MUCH if self._is_unread_limit_exceeded() else ""

    def _is_unread_limit_exceeded(self) -> bool:
        return sum(each._unread + each._incomplete for each in tuple(_OPEN_CONNECTIONS)) > self.unread_limit

    def _is_ping_limit_exceeded(self) -> bool:
        if self.loop.time() - self._pings_since > 1.0:
            self._pings, self._pings_since = 0, self.loop.time()
        self._pings += 1
        return self._pings > self.pings_limit

    def _fail(self, reason: str) -> None:
        self._failed = True
        self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, reason)
        self.send_data()
        # Do not go on reading until the server closes its end.
        self.transport.abort()


_DATA_OPCODES = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})
_PING_OPCODES = frozenset({Opcode.PING, Opcode.PONG})
_OPEN_CONNECTIONS: WeakSet[BoundedConnection] = WeakSet()
"""The connections of this process, which share the `UNREAD_LIMIT`."""
