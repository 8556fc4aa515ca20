"""What has to be known before anything is believed of a server, or sent to it: that it is the box of before."""

import asyncio
from collections.abc import Callable

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.replies import SystemStats
from comfytui.plain import plain
from comfytui.session.box import fingerprint_of
from comfytui.session.events import BoxChanged, Probed, SessionEvent, StatsRead

GIB = 2**30


class Door:
    """Open from the proof that the known box answers until the next break of the link.

    `known` is its fingerprint; `learned` is told it where there was none, or where the user takes another box.
    """

    def __init__(self, apply: Callable[[SessionEvent], None], learned: Callable[[str], None]) -> None:
        self._apply = apply
        self._learned = learned
        self._open = asyncio.Event()
        self._seen = ""
        self.known = ""

    @property
    def is_open(self) -> bool:
        """Whether the box is the one that is known."""
        return self._open.is_set()

    async def wait(self) -> None:
        """Wait until it is open."""
        await self._open.wait()

    def is_of_another(self, stats: SystemStats) -> bool:
        """Whether these are figures of another box than the one that is known."""
        return bool(self.known) and fingerprint_of(stats) != self.known

    def close(self) -> None:
        """The link broke: what answers next has to prove itself."""
        self._open.clear()

    def take(self) -> None:
        """Take the box that answered last for the right one from now on."""
        self._know()
        self._apply(BoxChanged(taken=True))

    def _know(self) -> None:
        if self._seen != self.known:
            self.known = self._seen
            self._learned(self.known)

    async def opened(self, client: ComfyClient) -> bool:
        """Ask, if it is not open yet, who answers and what it can do; whether it is the known box, as the first is."""
        if self.is_open:
            return True
        stats = await client.system_stats()
        self._seen = fingerprint_of(stats)
        if self.known and self._seen != self.known:
            self._apply(BoxChanged(f"Another box answers here than before: {_described(stats)}."))
            return False
        self._know()
        self._apply(BoxChanged(taken=True))
        self._apply(StatsRead(stats))
        self._apply(Probed(await client.abilities(stats.version)))
        self._open.set()
        return True


def _described(stats: SystemStats) -> str:
    """A box in a few words."""
    cards = ", ".join(plain(device.name, 40) for device in stats.devices) or "no card"
    return f"{cards}, {stats.ram_total / GIB:.0f} GB of memory, ComfyUI {plain(stats.version, 20)}"
