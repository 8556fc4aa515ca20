"""Reads the server's system statistics: its memory, and whether it is still the known server."""

import hashlib
import json
from collections.abc import Callable

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.comfy.errors import ComfyError, Unauthorized
from comfytui.comfy.protocol.models import SystemStats
from comfytui.comfy.redaction import without_secrets
from comfytui.sanitize import sanitize
from comfytui.service.backend import Backend
from comfytui.service.connection.driver import ConnectionDriver
from comfytui.service.connection.request_errors import request_error
from comfytui.session.connection.inputs import (
    RequestUnauthorised,
    ServerSeen,
    ServerVerified,
    StatsReceived,
    VerificationFailed,
)
from comfytui.session.connection.polls import is_busy
from comfytui.session.events import CapabilitiesRead, SessionEvent, StatsRead
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, PollTimings

GIB = 2**30
GPUS_SHOWN = 3
"""GPUs of a server that are named in a question."""


class StatsReader:
    """Reads `/system_stats`, and tells the connection who the server is.

    Args:
        driver: Holds the state of the connection, and takes what the server answers as inputs.
        state: Returns the session's state.
        apply: Receives the session events.
        timings: How often it reads.
        clock: Waits in between.
    """

    def __init__(
        self,
        driver: ConnectionDriver,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        timings: PollTimings = DEFAULT.poll,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._driver = driver
        self._state = state
        self._apply = apply
        self._timings = timings
        self._clock = clock

    async def read(self, backend: Backend) -> None:
        """Read the figures once, and check whose they are.

        Raises:
            ComfyError: if the request fails.
        """
        sockets_opened = self._driver.connection.gate.sockets_opened
        stats = await backend.system_stats()
        fingerprint = server_fingerprint(stats)
        self._driver.take(StatsReceived(fingerprint, sockets_opened))
        if fingerprint == self._driver.connection.gate.fingerprint:
            self._apply(StatsRead(stats))

    async def verify(self, backend: Backend) -> bool:
        """Identify the server and read its capabilities.

        Returns:
            Whether the known server answers; the first one to answer becomes the known one.

        Raises:
            ComfyError: if a request fails.
        """
        gate = self._driver.connection.gate
        try:
            stats = await backend.system_stats()
            fingerprint = server_fingerprint(stats)
            self._driver.take(ServerSeen(fingerprint, _describe(stats)))
            if fingerprint != self._driver.connection.gate.fingerprint:
                return False
            self._apply(StatsRead(stats))
            self._apply(CapabilitiesRead(await backend.capabilities(stats.version)))
        except ComfyError as error:
            self._driver.take(VerificationFailed(str(error)))
            raise
        self._driver.take(ServerVerified(gate.sockets_opened, gate.breaks))
        return self._driver.connection.gate.is_verified

    async def run(self, backend: Backend) -> None:
        """Read the figures forever, while the server can be reached."""
        while True:
            if self._driver.connection.link.kind in {LinkKind.LIVE, LinkKind.POLLING}:
                try:
                    await self.read(backend)
                except Unauthorized as error:
                    self._driver.take(RequestUnauthorised(request_error(error)))
                except ComfyError:
                    pass  # The next poll says what is wrong.
            await self._clock.sleep(self._timings.stats_busy if is_busy(self._state()) else self._timings.stats_idle)


def server_fingerprint(stats: SystemStats) -> str:
    """Return a digest of what tells one server from another: its arguments, devices and memory.

    A digest, since the arguments may hold secrets.
    """
    devices = [[device.name, device.type, device.vram_total] for device in stats.devices]
    traits = json.dumps([list(stats.argv), devices, stats.ram_total])
    return hashlib.sha256(traits.encode("utf-8", "replace")).hexdigest()[:32]


def _describe(stats: SystemStats) -> str:
    """Return a server's GPUs, memory and version in a few words."""
    return f"{_gpus(stats)}, {stats.ram_total / GIB:.0f} GB of memory, ComfyUI {sanitize(stats.version, 20)}"


def _gpus(stats: SystemStats) -> str:
    """Return the names of the first GPUs, and how many more the server lists."""
    names = [sanitize(without_secrets(device.name), 40) for device in stats.devices[:GPUS_SHOWN]]
    more = len(stats.devices) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "") if names else "no GPU"
