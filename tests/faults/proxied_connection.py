"""One connection through the proxy."""

import asyncio
import re
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

CHUNK = 65_536
NO_LINGER = struct.pack("ii", 1, 0)
"""With it the end of a socket is an RST."""
UPGRADE = re.compile(rb"\r\nupgrade:[^\r]*", re.IGNORECASE)
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class Way(Enum):
    """Where bytes go."""

    TO_SERVER = "to the server"
    TO_CLIENT = "to the client"


BACK = {Way.TO_SERVER: Way.TO_CLIENT, Way.TO_CLIENT: Way.TO_SERVER}


@dataclass(eq=False, slots=True)
class Rule:
    """What happens to requests with certain bytes."""

    request: bytes
    kind: Literal["reset", "lose", "vanish", "hold"]
    times: int | None
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, data: bytes) -> bool:
        """Whether these bytes are struck; counts it."""
        struck = self.request in data and (self.times is None or self.hits < self.times)
        self.hits += struck
        return struck

    def release(self) -> None:
        """Let go the answers that are held."""
        self.released.set()


@dataclass(slots=True)
class Weather:
    """What holds for every connection."""

    rules: list[Rule] = field(default_factory=list)
    delay: float = 0.0
    """Seconds on either way."""
    bytes_per_second: float | None = None
    idle_seconds: float | None = None
    strip_upgrades: bool = False
    flows: dict[Way, asyncio.Event] = field(default_factory=lambda: {way: asyncio.Event() for way in Way})


class Link:
    """Passes on what comes from either end, as the weather lets it."""

    def __init__(
        self,
        weather: Weather,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        vanishing: Iterable[Way],
    ) -> None:
        self._weather = weather
        self._from = {Way.TO_SERVER: client[0], Way.TO_CLIENT: server[0]}
        self._into = {Way.TO_CLIENT: client[1], Way.TO_SERVER: server[1]}
        self._vanishing = set(vanishing)
        self._answer: Rule | None = None
        self._idle: asyncio.TimerHandle | None = None
        self.websocket = False
        self.client_left = False

    @property
    def stalled(self) -> bool:
        """Whether bytes vanish on it."""
        return bool(self._vanishing)

    async def run(self) -> None:
        """Pass on until both ends are done."""
        self.touch()
        try:
            await asyncio.gather(*(self._pump(way) for way in Way))
        finally:
            if self._idle is not None:
                self._idle.cancel()
            self.client_left = True
            for writer in self._into.values():
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()

    def stall(self, ways: Iterable[Way]) -> None:
        """From now on let vanish what goes these ways: bytes, and the news of an end."""
        self._vanishing |= set(ways)

    def touch(self) -> None:
        """Begin to count the idle time anew."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        if self._weather.idle_seconds is not None:
            self._idle = asyncio.get_running_loop().call_later(self._weather.idle_seconds, self.close)

    def close(self) -> None:
        """End both sides in order."""
        for writer in self._into.values():
            writer.close()

    def reset(self) -> None:
        """End both sides with an RST."""
        for way in Way:
            self.reset_side(way)

    def reset_side(self, way: Way) -> None:
        """End the side that is at the end of a way with an RST."""
        sock = self._into[way].get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self._into[way].transport.abort()

    async def _pump(self, way: Way) -> None:
        while data := await self._read(way):
            self.touch()
            if way is Way.TO_SERVER:
                data = self._look_at(data)
            await self._travel(way, len(data))
            if way is Way.TO_CLIENT and self._answer is not None:
                await self._meddle(self._answer)
            if way not in self._vanishing:
                await self._write(way, data)
        await self._weather.flows[way].wait()
        if way not in self._vanishing:
            with suppress(OSError):
                self._into[way].write_eof()

    async def _read(self, way: Way) -> bytes:
        rate = self._weather.bytes_per_second
        try:
            data = await self._from[way].read(CHUNK if rate is None else max(1, min(CHUNK, int(rate / 20))))
        except OSError:
            data = b""
            self._tell(way, self.reset)
        if not data and way is Way.TO_SERVER:
            self.client_left = True
        return data

    async def _write(self, way: Way, data: bytes) -> None:
        writer = self._into[way]
        try:
            writer.write(data)
            await writer.drain()
        except OSError:
            self._vanishing.add(way)
            self._tell(BACK[way], self.reset)

    def _tell(self, way: Way, news: Callable[[], None]) -> None:
        if way not in self._vanishing:
            news()

    async def _travel(self, way: Way, size: int) -> None:
        """Take the time that so many bytes need, and wait while nothing flows."""
        if self._weather.delay:
            await asyncio.sleep(self._weather.delay)
        if self._weather.bytes_per_second is not None:
            await asyncio.sleep(size / self._weather.bytes_per_second)
        await self._weather.flows[way].wait()

    def _look_at(self, data: bytes) -> bytes:
        """Find out what is asked, and whether a rule is against it; returns what the server is to get."""
        if data.startswith(b"GET ") and UPGRADE.search(data):
            self.websocket = not self._weather.strip_upgrades
            if self._weather.strip_upgrades:
                data = CONNECTION.sub(b"\r\nConnection: close", UPGRADE.sub(b"", data, count=1), count=1)
        rule = next((rule for rule in self._weather.rules if rule.strikes(data)), None)
        if rule is not None and rule.kind == "reset":
            self._vanishing.add(Way.TO_SERVER)
            self.reset()
        elif rule is not None:
            self._answer = rule
        return data

    async def _meddle(self, rule: Rule) -> None:
        """Do to an answer what its rule says."""
        self._answer = None
        match rule.kind:
            case "hold":
                await rule.released.wait()
            case "lose":
                self._vanishing.add(Way.TO_CLIENT)
                self.reset()
            case "vanish":
                self._vanishing.add(Way.TO_CLIENT)
