"""What has to be known before anything is believed of a server, or sent to it: that it is the box of before."""

import asyncio
import hashlib
import json
from collections.abc import Callable

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError
from comfytui.comfy.protocol.models import SystemStats
from comfytui.comfy.redaction import without_secrets
from comfytui.sanitize import sanitize
from comfytui.session.events import CapabilitiesRead, IdentityAccepted, IdentityMismatch, SessionEvent, StatsRead

GIB = 2**30
CARDS_SHOWN = 3
"""Cards of a server that are named in a question."""


class IdentityCheck:
    """Open from the proof that the known box answers until the next break of the link.

    `known` is its fingerprint; `learned` is told it where there was none, or where the user takes another box; `back`
    is called when it answers again after another one, `proven` after each proof. Each socket that opens needs a proof
    of its own, asked for after it opened: it may lead to another server than the last answer came from.
    """

    def __init__(
        self,
        apply: Callable[[SessionEvent], None],
        learned: Callable[[str], None],
        back: Callable[[], None],
        proven: Callable[[], None] = lambda: None,
    ) -> None:
        self._apply = apply
        self._learned = learned
        self._back = back
        self._told = proven
        self._strange = ""  # the fingerprint of the other box that was told of, while the known one is not back
        self._asking = asyncio.Lock()
        self._breaks = 0
        self._sockets = self._proven = 0  # how many opened, and up to which one the server's identity is verified
        self._ready = asyncio.Event()
        self._proof = asyncio.Event()  # set, and replaced, at each proof
        self.is_open = False
        """Whether the box is the one that is known, and what it can do is known too."""
        self.known = ""
        self.reason = ""
        """Why it could not be opened."""

    @property
    def is_ready(self) -> bool:
        """Whether it is open, and the server's identity was verified after the last socket opened."""
        return self._ready.is_set()

    async def wait(self) -> None:
        """Wait until it is ready."""
        await self._ready.wait()

    def close(self) -> None:
        """The link broke: what answers next has to prove itself."""
        self.is_open = False
        self._ready.clear()
        self._breaks += 1

    def socket_opened(self) -> int:
        """Count a socket that opened; returns its number, for `counts`."""
        self._sockets += 1
        self._ready.clear()
        return self._sockets

    def counts(self, socket: int) -> bool:
        """Whether the server's identity was verified after this socket opened, so that its frames count."""
        return self._proven >= socket

    async def proven(self, socket: int) -> None:
        """Wait until the frames of this socket count."""
        while not self.counts(socket):
            await self._proof.wait()

    @property
    def sockets(self) -> int:
        """How many sockets opened; to be read before a question whose answer is for `check`."""
        return self._sockets

    def check(self, stats: SystemStats, sockets: int) -> bool:
        """Close it if these figures, asked for when so many sockets had opened, are another box's; else take them."""
        if not self.known:
            return False
        known = server_fingerprint(stats) == self.known
        if known:
            self._prove(sockets)
        else:
            self.close()
        return known

    def take(self) -> None:
        """Take the other box that was told of for the right one from now on, though a third one may answer by now."""
        self._know(self._strange)
        self._strange = ""
        self._apply(IdentityAccepted())

    def _know(self, box: str) -> None:
        if box != self.known:
            self.known = box
            self._learned(box)

    def _prove(self, sockets: int) -> None:
        self._proven = max(self._proven, sockets)
        proof, self._proof = self._proof, asyncio.Event()
        proof.set()
        if self.is_open and self._proven == self._sockets:
            self._ready.set()
        self._told()

    async def opened(self, client: ComfyClient) -> bool:
        """Ask, if it is not open yet, who answers and what it can do; whether it is the known box, as the first is."""
        # Two looks at once, of which one is the watchdog's, ask but once.
        async with self._asking:
            if self.is_open:
                return True
            try:
                return await self._ask(client)
            except ComfyError as error:
                self.reason = str(error)
                raise

    async def _ask(self, client: ComfyClient) -> bool:
        breaks, sockets = self._breaks, self._sockets
        stats = await client.system_stats()
        seen = server_fingerprint(stats)
        if self.known and seen != self.known:
            self._strange = self._strange or seen
            self._apply(IdentityMismatch(f"A different server answers here now: {_described(stats)}."))
            return False
        self._know(seen)
        self._apply(IdentityAccepted())
        if self._strange:
            self._strange = ""
            self._back()
        self._apply(StatsRead(stats))
        self._apply(CapabilitiesRead(await client.capabilities(stats.version)))
        if breaks == self._breaks:
            self.reason = ""
            self.is_open = True
            self._prove(sockets)
        return self.is_open


def server_fingerprint(stats: SystemStats) -> str:
    """Return a digest of what tells one server from another: its arguments, devices and memory.

    A digest, since the arguments may hold secrets.
    """
    devices = [[device.name, device.type, device.vram_total] for device in stats.devices]
    traits = json.dumps([list(stats.argv), devices, stats.ram_total])
    return hashlib.sha256(traits.encode("utf-8", "replace")).hexdigest()[:32]


def _described(stats: SystemStats) -> str:
    """A box in a few words."""
    return f"{_cards(stats)}, {stats.ram_total / GIB:.0f} GB of memory, ComfyUI {sanitize(stats.version, 20)}"


def _cards(stats: SystemStats) -> str:
    """The first of its cards, and how many more it says it has."""
    names = [sanitize(without_secrets(device.name), 40) for device in stats.devices[:CARDS_SHOWN]]
    more = len(stats.devices) - len(names)
    return ", ".join(names) + (f" and {more:,} more" if more else "") if names else "no GPU"
