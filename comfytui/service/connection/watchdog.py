"""Notices a run that brings no frames: a socket that went deaf is renewed, a box that stands still is only told of."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from comfytui.comfy.errors import ComfyError
from comfytui.service.connection.poller import REST
from comfytui.session.events import SessionEvent, SocketRecovered, SocketSilent
from comfytui.session.model import LinkKind
from comfytui.session.runs.stall import stall_since
from comfytui.session.state import SessionState

CHECK_SECONDS = 1.0
"""Seconds between two checks."""
RENEWALS = 2
"""Times that the wires are renewed for one silence: ComfyUI files a new socket only when the old one has gone."""
DEAF = "Your job runs, but no messages about it arrive: the server has lost track of this connection."


class Watchdog:
    """`look` reads queue, history and memory over HTTP, `renew` closes the sockets and connects anew."""

    def __init__(
        self,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        look: Callable[[], Awaitable[None]],
        renew: Callable[[], None],
    ) -> None:
        self._state = state
        self._apply = apply
        self._look = look
        self._renew = renew
        self._heard = time.monotonic()
        self._renewals = 0
        self._renewed_for: str | None = None

    def hear(self, *, of_a_run: bool) -> None:
        """Something came over a socket; only frames of a run prove that runs can be heard."""
        if of_a_run:
            self._heard = time.monotonic()
            self._renewals = 0
        if self._state().link.kind is LinkKind.BUSY or (of_a_run and self._state().link.kind is LinkKind.DEAF):
            self._apply(SocketRecovered())

    def opened(self) -> None:
        """A socket is open: its silence counts from now."""
        self._heard = time.monotonic()

    async def run(self) -> None:
        """Watch for ever."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            if self._overdue():
                await self._judge()

    def _overdue(self) -> bool:
        state = self._state()
        if state.run and state.run.prompt_id != self._renewed_for:
            self._renewed_for, self._renewals = state.run.prompt_id, 0
        tried = self._renewals >= RENEWALS
        # Frames that are late are on their way.
        comes = state.link.kind is LinkKind.LIVE and not state.link.behind
        return not tried and comes and self._is_silent(state)

    def _is_silent(self, state: SessionState) -> bool:
        return stall_since(state, self._heard, time.monotonic()) is not None

    async def _judge(self) -> None:
        """Ask over HTTP before a silence is called deafness: a model that loads is quiet, too."""
        before, heard, began = self._state().run, self._heard, time.monotonic()
        try:
            await self._look()
        except ComfyError:
            return  # Whether it is busy or gone is for the pings to find out.
        took = time.monotonic() - began
        # What was held up together with the answer is on its way.
        await asyncio.sleep(CHECK_SECONDS)
        state = self._state()
        if self._heard != heard or before is None or state.link.kind is not LinkKind.LIVE:
            return
        went_on = state.run is None or state.run.prompt_id != before.prompt_id
        silence = stall_since(state, heard, time.monotonic())
        if went_on or (silence is not None and not silence.memory_changing):
            self._apply(SocketSilent(deaf=True, reason=DEAF))
            self._renewals += 1
            self._renew()
        # A huge queue is not read without end while a model loads.
        await asyncio.sleep(REST * took)
