"""Restarts the service after it crashed."""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from comfytui.comfy.redaction import without_secrets
from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.service.service import SessionService

RESTART_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a service that crashed starts again; the last one repeats."""
STABLE_SECONDS = 60.0
"""Seconds of service after which a crash counts as the first one again."""

log = logging.getLogger(__name__)


async def run_through_crashes(service: "SessionService", pauses: Sequence[float]) -> None:
    """Run the service until it ends, and again after each crash.

    Args:
        service: The service.
        pauses: Seconds before it starts again; the last one repeats.
    """
    crashes = 0
    while True:
        began = time.monotonic()
        try:
            return await service.run()
        except Exception as error:
            crashes = 0 if time.monotonic() - began > STABLE_SECONDS else crashes
            pause = pauses[min(crashes, len(pauses) - 1)]
            crashes += 1
            service.report_crash(summary_of(error), pause)
            log.exception("service failed")
            await asyncio.sleep(pause)


def summary_of(error: BaseException) -> str:
    """Return an error in one line, of a group its first member; without secrets, since it may hold a URL."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return sanitize(without_secrets(f"{type(error).__name__}: {error}"), 200)
