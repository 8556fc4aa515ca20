"""Clients of a relay's streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.headless.relay.running import RunningRelay
from tests.waiting import TIMEOUT, eventually

STREAM = "/api/generate/progress"


@dataclass
class Client:
    """What a client of a stream got so far."""

    headers: Mapping[str, str]
    events: list[dict[str, Any]] = field(default_factory=list)
    """The data of each event."""
    ids: list[str] = field(default_factory=list)
    """The id of each event; empty where it has none."""
    lines: list[str] = field(default_factory=list)
    """Every line."""

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the events of one name."""
        return [event for event in self.events if event["event"] == name]

    async def got(self, name: str, count: int = 1) -> dict[str, Any]:
        """Wait for a number of events of one name, and return the newest."""
        await eventually(lambda: len(self.of(name)) >= count, f"{count} {name} events")
        return self.of(name)[-1]

    async def ended(self) -> dict[str, Any]:
        """Wait until the stream has ended, and return the last event."""
        async with asyncio.timeout(TIMEOUT):
            await self.reading
        return self.events[-1]

    async def read(self, lines: AsyncIterator[str]) -> None:
        fields: dict[str, str] = {}
        async for line in lines:
            self.lines.append(line)
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "data" in fields:
                event = json.loads(fields["data"])
                assert event["event"] == fields["event"]
                self.events.append(event)
                self.ids.append(fields.get("id", ""))
            if not line:
                fields = {}

    reading: "asyncio.Future[None]" = field(init=False)
    """Ends with the stream."""


@asynccontextmanager
async def streaming(relay: RunningRelay, last_event_id: str = "", **params: str) -> AsyncIterator[Client]:
    """Follow a stream until the context ends."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with relay.client.stream("GET", STREAM, params=params, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        client = Client(response.headers)
        client.reading = asyncio.ensure_future(client.read(response.aiter_lines()))
        try:
            yield client
        finally:
            client.reading.cancel()
            await asyncio.wait([client.reading])
