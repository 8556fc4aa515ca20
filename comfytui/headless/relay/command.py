"""What `comfytui relay` does: serve until a signal, and say what the user has to know."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import login_required_text, other_server_text
from comfytui.headless.relay.app import relay_app
from comfytui.headless.relay.context import CONTEXT
from comfytui.headless.relay.errors import STOPPED
from comfytui.headless.relay.options import RelayOptions
from comfytui.headless.relay.serving import serving
from comfytui.headless.session import HeadlessSession, is_current
from comfytui.presentation.notification_text import message_for
from comfytui.sanitize import sanitize
from comfytui.service.notifications import LoginRequired, Notification, NotReached
from comfytui.service.supervisor import summary_of
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind

SIGNALS = (signal.SIGINT, signal.SIGTERM)


CHECK_SECONDS = 1.0
"""Seconds until it is seen that the thread of the session has ended, which nothing tells."""

_log = logging.getLogger(__name__)


class RelayError(Exception):
    """The relay cannot listen where its options say, or cannot go on; the message is one sentence."""


async def run_relay(
    server: Server, options: RelayOptions, say: Callable[[str], object], *, journal: Path | None = None
) -> signal.Signals:
    """Run a relay until SIGINT or SIGTERM, which it returns; a second one has the effect that it has by default.

    Args:
        server: The server, which need not answer yet.
        options: Where to listen, and who gets in.
        say: Called with each line for the user.
        journal: The folder of the journal; None keeps nothing.

    Raises:
        RelayError: The address cannot be used, or the session has stopped by itself.
    """
    signalled, login_required = _first_signal(), asyncio.Event()

    def tell(notification: Notification) -> None:
        if isinstance(notification, LoginRequired):
            login_required.set()
        elif line := line_of(notification):
            say(line)

    app = relay_app(ServiceThread(server, folder=journal), options, tell)
    session, port = app[CONTEXT].session, None
    try:
        async with serving(app, options) as port:
            say(f"The relay of {sanitize(server.label)} serves at {_url(options.host, port)}")
            ended = asyncio.create_task(_wait_for_end(session))
            watching = (
                ended,
                asyncio.create_task(_tell_of_another_server(session, server, say)),
                asyncio.create_task(_tell_of_login(session, server, say, login_required)),
            )
            try:
                await asyncio.wait((signalled, ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in watching:
                    task.cancel()
    except Exception as error:
        if port is not None:
            # Raised by the end of the session: why it no longer passed changes on.
            _log.exception("The session of the relay failed")
            raise RelayError(f"The session of the relay has stopped ({summary_of(error)}): start it again.") from None
        if isinstance(error, OSError):
            raise RelayError(_why_not(options, error)) from None
        raise
    if not signalled.done():
        raise RelayError(STOPPED)
    return signalled.result()


async def _wait_for_end(session: HeadlessSession) -> None:
    """Return once the session has stopped by itself: its thread, or what passes its changes on."""
    while session.is_running:
        with suppress(TimeoutError):
            await asyncio.wait_for(session.changed(), CHECK_SECONDS)


def line_of(notification: Notification) -> str | None:
    """Return the line that tells the user of a notification; None if it is nothing to tell."""
    if isinstance(notification, NotReached):
        return sanitize(notification.reason)  # It names the server.
    message = message_for(notification)
    return sanitize(message[0]) if message else None


async def _tell_of_another_server(session: HeadlessSession, server: Server, say: Callable[[str], object]) -> None:
    """Say it each time that another server than before begins to answer at the address."""
    while True:
        await session.until(lambda state: state.link.kind is LinkKind.OTHER_SERVER)
        say(other_server_text(server))
        await session.until(lambda state: state.link.kind is not LinkKind.OTHER_SERVER)


async def _tell_of_login(
    session: HeadlessSession, server: Server, say: Callable[[str], object], required: asyncio.Event
) -> None:
    """Say it each time that the server begins to require a login: each request and each socket is told so."""
    while True:
        await required.wait()
        say(login_required_text(server, refused=server.has_credentials))
        await session.until(is_current)
        required.clear()


def _first_signal() -> "asyncio.Future[signal.Signals]":
    loop = asyncio.get_running_loop()
    signalled: asyncio.Future[signal.Signals] = loop.create_future()

    def receive(number: signal.Signals) -> None:
        for each in SIGNALS:
            loop.remove_signal_handler(each)
        signalled.set_result(number)

    for each in SIGNALS:
        loop.add_signal_handler(each, receive, each)
    return signalled


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _why_not(options: RelayOptions, error: OSError) -> str:
    number = error.errno or 0  # Negative if the host has no address.
    reason = os.strerror(number) if number > 0 else "there is no such address"
    where = f"{sanitize(options.host, 100)} port {options.port}"
    return f"The relay cannot listen on {where} ({reason}): choose another --host or --port."
