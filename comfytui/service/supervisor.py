"""Runs the services of one address: again after a crash, and a new one for each different server."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comfytui.clock import Clock
from comfytui.comfy.redaction import without_secrets
from comfytui.comfy.server import Server
from comfytui.sanitize import sanitize
from comfytui.service.mailbox import Subscribers
from comfytui.service.notifications import ServiceFailed, UserMessage
from comfytui.timings import Timings

if TYPE_CHECKING:
    from comfytui.service.backend import BackendFactory
    from comfytui.service.service import SessionService

RESTART_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a service that crashed starts again; the last one repeats."""
STABLE_SECONDS = 60.0
"""Seconds of service after which a crash counts as the first one again."""

log = logging.getLogger(__name__)


async def supervise(
    server: Server,
    serve_with: "Callable[[SessionService], None]",
    *,
    client_id: str | None,
    folder: Path | None,
    fresh: bool,
    observe: bool,
    pauses: Sequence[float],
    timings: Timings,
    clock: Clock,
    new_backend: "BackendFactory | None",
) -> None:
    """Run a service until cancelled, and a new one for each different server that is accepted; own the journal.

    Args:
        server: The first server.
        serve_with: Receives each service before it runs.
        client_id: This and all others as for `ServiceThread`.
    """
    # Its libraries take as long to load as the screen does, so they are loaded here, beside the first paint.
    from comfytui.comfy.backend import ComfyBackend
    from comfytui.service.definition_files import DefinitionFiles, definitions_folder
    from comfytui.service.definitions import DefinitionReader
    from comfytui.service.journal.async_journal import AsyncJournal
    from comfytui.service.service import SessionService

    subscribers = Subscribers()
    asyncio.get_running_loop().set_exception_handler(partial(_report_fault, server.label, subscribers))
    journal = AsyncJournal(partial(_warn, server.label, subscribers), folder, timings.journal, read_only=observe)
    service = SessionService(
        server,
        new_backend or partial(ComfyBackend, timings=timings, clock=clock),
        journal,
        subscribers,
        client_id=client_id,
        fresh=fresh,
        definitions=DefinitionReader(None if folder is None else DefinitionFiles(definitions_folder(folder))),
        timings=timings,
        clock=clock,
    )
    serve_with(service)
    try:
        await journal.open()
        while True:
            await run_through_crashes(service, pauses, clock)
            service = service.successor()
            serve_with(service)
    finally:
        await journal.close()


def _warn(label: str, subscribers: Subscribers, text: str) -> None:
    subscribers.put(UserMessage(label, text, "warning"))


def _report_fault(
    label: str, subscribers: Subscribers, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]
) -> None:
    """Post and log an error that did not end the service."""
    error = context.get("exception")
    reason = summary_of(error) if error else sanitize(without_secrets(str(context.get("message"))), 200)
    subscribers.put(ServiceFailed(label, reason, 0.0))
    log.error("fault: %s", reason, exc_info=error)


async def run_through_crashes(service: "SessionService", pauses: Sequence[float], clock: Clock) -> None:
    """Run the service until it ends, and again after each crash.

    Args:
        service: The service.
        pauses: Seconds before it starts again; the last one repeats.
        clock: The time source.
    """
    crashes = 0
    while True:
        began = clock.monotonic()
        try:
            return await service.run()
        except Exception as error:
            crashes = 0 if clock.monotonic() - began > STABLE_SECONDS else crashes
            pause = pauses[min(crashes, len(pauses) - 1)]
            crashes += 1
            service.report_crash(summary_of(error), pause)
            log.exception("service failed")
            await clock.sleep(pause)


def summary_of(error: BaseException) -> str:
    """Return an error in one line, of a group its first member; without secrets, since it may hold a URL."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return sanitize(without_secrets(f"{type(error).__name__}: {error}"), 200)
