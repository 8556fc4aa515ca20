"""One connection through the proxy, and the settings and rules that apply to it."""

import asyncio
import re
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

CHUNK = 65_536
NO_LINGER = struct.pack("ii", 1, 0)
"""Socket option that turns the end of a socket into an RST."""
UPGRADE = re.compile(rb"\r\nupgrade:[^\r]*", re.IGNORECASE)
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class Direction(Enum):
    """The direction of bytes through the proxy."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


OPPOSITE = {Direction.TO_SERVER: Direction.TO_CLIENT, Direction.TO_CLIENT: Direction.TO_SERVER}


@dataclass(eq=False, slots=True)
class RequestRule:
    """What happens to requests that contain certain bytes."""

    request: bytes
    kind: Literal["reset", "lose", "discard", "hold"]
    times: int | None
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def matches(self, data: bytes) -> bool:
        """Return whether the rule applies to these bytes, and count the hit."""
        applies = self.request in data and (self.times is None or self.hits < self.times)
        self.hits += applies
        return applies

    def release(self) -> None:
        """Release the responses that are held."""
        self.released.set()


@dataclass(slots=True)
class ProxySettings:
    """Settings for all connections of a proxy."""

    rules: list[RequestRule] = field(default_factory=list)
    delay: float = 0.0
    """Seconds, in each direction."""
    bytes_per_second: float | None = None
    idle_seconds: float | None = None
    strip_upgrades: bool = False
    flows: dict[Direction, asyncio.Event] = field(
        default_factory=lambda: {direction: asyncio.Event() for direction in Direction}
    )


class ProxiedConnection:
    """Forwards bytes in both directions, subject to the proxy's settings and rules."""

    def __init__(
        self,
        settings: ProxySettings,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        discarding: Iterable[Direction],
    ) -> None:
        self._settings = settings
        self._from = {Direction.TO_SERVER: client[0], Direction.TO_CLIENT: server[0]}
        self._into = {Direction.TO_CLIENT: client[1], Direction.TO_SERVER: server[1]}
        self._discarding = set(discarding)
        self._response_rule: RequestRule | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.websocket = False
        self.client_left = False

    @property
    def stalled(self) -> bool:
        """Whether bytes are discarded."""
        return bool(self._discarding)

    async def run(self) -> None:
        """Forward until both ends are closed."""
        self.touch()
        try:
            await asyncio.gather(*(self._pump(direction) for direction in Direction))
        finally:
            if self._idle is not None:
                self._idle.cancel()
            self.client_left = True
            for writer in self._into.values():
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    def stall(self, directions: Iterable[Direction]) -> None:
        """Discard bytes and ends of streams in these directions from now on."""
        self._discarding |= set(directions)

    def touch(self) -> None:
        """Restart the idle timer."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._settings.idle_seconds is not None:
            self._idle = asyncio.get_running_loop().call_later(self._settings.idle_seconds, self.close)

    def close(self) -> None:
        """Close both sides."""
        for writer in self._into.values():
            writer.close()

    def reset(self) -> None:
        """Reset both sides."""
        for direction in Direction:
            self.reset_side(direction)

    def reset_side(self, direction: Direction) -> None:
        """Reset the side that a direction leads to."""
        sock = self._into[direction].get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._into[direction].transport.abort()

    async def _pump(self, direction: Direction) -> None:
        while data := await self._read(direction):
            self.touch()
            if direction is Direction.TO_SERVER:
                data = self._inspect(data)
            await self._delay(direction, len(data))
            if direction is Direction.TO_CLIENT and self._response_rule is not None:
                await self._apply_rule(self._response_rule)
            if direction not in self._discarding:
                await self._write(direction, data)
        await self._settings.flows[direction].wait()
        if direction not in self._discarding:
            with suppress(OSError):
                self._into[direction].write_eof()

    async def _read(self, direction: Direction) -> bytes:
        rate = self._settings.bytes_per_second
        try:
            data = await self._from[direction].read(CHUNK if rate is None else max(1, min(CHUNK, int(rate / 20))))
        except OSError:
            data = b""
            self._propagate_reset(direction)
        if not data and direction is Direction.TO_SERVER:
            self.client_left = True
        return data

    async def _write(self, direction: Direction, data: bytes) -> None:
        writer = self._into[direction]
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            self._discarding.add(direction)
            self._propagate_reset(OPPOSITE[direction])

    def _propagate_reset(self, direction: Direction) -> None:
        """Reset the connection, unless the reset is discarded in this direction."""
        if direction not in self._discarding:
            self.reset()

    async def _delay(self, direction: Direction, size: int) -> None:
        """Wait as long as the bytes take, and while the direction is frozen."""
        if self._settings.delay:
            await asyncio.sleep(self._settings.delay)
        if self._settings.bytes_per_second is not None:
            await asyncio.sleep(size / self._settings.bytes_per_second)
        await self._settings.flows[direction].wait()

    def _inspect(self, data: bytes) -> bytes:
        """Detect WebSockets, apply the rules, and return the bytes for the server."""
        if data.startswith(b"GET ") and UPGRADE.search(data):
            self.websocket = not self._settings.strip_upgrades
            if self._settings.strip_upgrades:
                data = CONNECTION.sub(b"\r\nConnection: close", UPGRADE.sub(b"", data, count=1), count=1)
        rule = next((rule for rule in self._settings.rules if rule.matches(data)), None)
        if rule is not None and rule.kind == "reset":
            self._discarding.add(Direction.TO_SERVER)
            self.reset()
        elif rule is not None:
            self._response_rule = rule
        return data

    async def _apply_rule(self, rule: RequestRule) -> None:
        """Apply a rule to a response."""
        self._response_rule = None
        match rule.kind:
            case "hold":
                await rule.released.wait()
            case "lose":
                self._discarding.add(Direction.TO_CLIENT)
                self.reset()
            case "discard":
                self._discarding.add(Direction.TO_CLIENT)
