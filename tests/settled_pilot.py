"""A fix for Textual's pilot, which takes a process that gets no CPU time for one that has nothing to do."""

import asyncio
import math
import time
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

TURNS = 10
"""Turns of the event loop with nothing to do: a key takes some to a queue, and a message some to be handled."""


def wait_until_settled() -> None:
    """Have `Pilot.pause` and `Pilot.press` return once no message is left to handle and nothing to paint."""
    pause, press = Pilot.pause, Pilot.press

    async def pause_until_settled(self: Pilot[Any], delay: float | None = None) -> None:
        await pause(self, delay)
        if delay is None:
            await settled(self.app)

    async def press_until_settled(self: Pilot[Any], *keys: str) -> None:
        await press(self, *keys)
        await settled(self.app)

    setattr(Pilot, "pause", pause_until_settled)  # noqa: B010 - a method to the type checker
    setattr(Pilot, "press", press_until_settled)  # noqa: B010


async def settled(app: App[Any], within: float = math.inf) -> None:
    """Wait until an application has handled every message, and painted what came of it.

    Args:
        app: The application.
        within: Seconds after which to return all the same; what runs on may keep a busy machine from ever settling.
    """
    quiet, over = 0, time.monotonic() + within
    while quiet < TURNS and time.monotonic() < over:
        quiet = quiet + 1 if _is_settled(app) else 0
        await asyncio.sleep(0 if quiet else 0.001)


def _is_settled(app: App[Any]) -> bool:
    if app._exit:  # What is left is not handled any more.
        return True
    screen = app.screen
    pumps = [app, *screen.walk_children(with_self=True)]
    return not _has_to_paint(screen) and not any(_has_messages(pump) for pump in pumps)


def _has_messages(pump: Any) -> bool:
    return not pump._closed and bool(pump._message_queue.qsize() or pump._next_callbacks)


def _has_to_paint(screen: Screen[Any]) -> bool:
    flags = (screen._layout_required, screen._scroll_required, screen._repaint_required, screen._recompose_required)
    return any(flags) or bool(screen._dirty_widgets or screen._callbacks)
