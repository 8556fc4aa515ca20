"""Verifies that the server that answers is the one that was served before."""

import asyncio
import hashlib
import json
from collections.abc import Callable

from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.models import SystemStats
from comfytui.comfy.redaction import without_secrets
from comfytui.sanitize import sanitize
from comfytui.service.backend import Backend
from comfytui.session.events import CapabilitiesRead, IdentityAccepted, IdentityMismatch, SessionEvent, StatsRead

GIB = 2**30
GPUS_SHOWN = 3
"""GPUs of a server that are named in a question."""


class IdentityCheck:
    """Verifies the server's fingerprint; before that, nothing is believed of the server and nothing is sent to it.

    A verification holds until the connection breaks. Each socket that opens needs one of its own, requested after it
    opened: it may lead to another server than the last answer came from.

    Args:
        apply: Receives the session events.
        on_identified: Receives the fingerprint of the first server that answers.
        on_returned: Called when the known server answers again after another one did.
        on_verified: Called after each verification.
    """

    def __init__(
        self,
        apply: Callable[[SessionEvent], None],
        on_identified: Callable[[str], None],
        on_returned: Callable[[], None],
        on_verified: Callable[[], None] = lambda: None,
    ) -> None:
        self._apply = apply
        self._on_identified = on_identified
        self._on_returned = on_returned
        self._on_verified = on_verified
        self._verifying = asyncio.Lock()
        self._invalidations = 0
        self._verified_sockets = 0  # the number of the last socket that opened before a verification
        self._ready = asyncio.Event()
        self._verification = asyncio.Event()  # set, and replaced, at each verification
        self.is_verified = False
        """Whether the server is the known one, and its capabilities are known too."""
        self.fingerprint = ""
        """The fingerprint of the known server; empty before the first one answered."""
        self.other_fingerprint = ""
        """The fingerprint of the other server that was reported; empty while none was, or the known one is back."""
        self.reason = ""
        """Why the server could not be verified."""
        self.socket_count = 0
        """How many sockets opened; to be read before a request whose answer is for `check`."""

    @property
    def is_ready(self) -> bool:
        """Whether the server is verified, and was so after the last socket opened."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until it is ready."""
        await self._ready.wait()

    def invalidate(self) -> None:
        """Require a new verification: the connection broke."""
        self.is_verified = False
        self._ready.clear()
        self._invalidations += 1

    def socket_opened(self) -> int:
        """Count a socket that opened, and return its number for `verified_since`."""
        self.socket_count += 1
        self._ready.clear()
        return self.socket_count

    def verified_since(self, socket: int) -> bool:
        """Return whether the server was verified after this socket opened, so that its frames count."""
        return self._verified_sockets >= socket

    async def wait_verified_since(self, socket: int) -> None:
        """Wait until the frames of this socket count."""
        while not self.verified_since(socket):
            await self._verification.wait()

    def check(self, stats: SystemStats, socket_count: int) -> bool:
        """Return whether these figures are the known server's; if so it is verified, else invalidated.

        Args:
            stats: The figures.
            socket_count: How many sockets had opened when they were requested.
        """
        if not self.fingerprint:
            return False
        known = server_fingerprint(stats) == self.fingerprint
        if known:
            self._mark_verified(socket_count)
        else:
            self.invalidate()
        return known

    def _mark_verified(self, socket_count: int) -> None:
        self._verified_sockets = max(self._verified_sockets, socket_count)
        verification, self._verification = self._verification, asyncio.Event()
        verification.set()
        if self.is_verified and self._verified_sockets == self.socket_count:
            self._ready.set()
        self._on_verified()

    async def verify(self, client: Backend) -> bool:
        """Identify the server and read its capabilities, unless it is verified already.

        Returns:
            Whether the known server answers; the first one to answer becomes the known one.

        Raises:
            ComfyError: if a request fails.
        """
        # Of two polls at the same time, one of them the watchdog's, only the first sends requests.
        async with self._verifying:
            if self.is_verified:
                return True
            try:
                return await self._identify(client)
            except ComfyError as error:
                self.reason = str(error)
                raise

    async def _identify(self, client: Backend) -> bool:
        invalidations, socket_count = self._invalidations, self.socket_count
        stats = await client.system_stats()
        fingerprint = server_fingerprint(stats)
        if self.fingerprint and fingerprint != self.fingerprint:
            self.other_fingerprint = self.other_fingerprint or fingerprint
            self._apply(IdentityMismatch(f"A different server answers here now: {_describe(stats)}."))
            return False
        if not self.fingerprint:
            self.fingerprint = fingerprint
            self._on_identified(fingerprint)
        self._apply(IdentityAccepted())
        if self.other_fingerprint:
            self.other_fingerprint = ""
            self._on_returned()
        self._apply(StatsRead(stats))
        self._apply(CapabilitiesRead(await client.capabilities(stats.version)))
        if invalidations == self._invalidations:
            self.reason = ""
            self.is_verified = True
            self._mark_verified(socket_count)
        return self.is_verified


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
