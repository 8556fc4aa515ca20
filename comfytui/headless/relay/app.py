"""The relay as an aiohttp application: its routes, and the session that it shows as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from comfytui.headless.relay import commands, health, images, openapi, snapshots
from comfytui.headless.relay.context import CONTEXT, RelayContext
from comfytui.headless.relay.guard import guarded_app
from comfytui.headless.relay.options import RelayOptions, check_options
from comfytui.headless.relay.page import page_routes
from comfytui.headless.relay.polling import poll_progress
from comfytui.headless.relay.streams import stream_progress
from comfytui.headless.session import HeadlessSession
from comfytui.service.notifications import Notification
from comfytui.service.thread import ServiceThread
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState
from comfytui.timings import DEFAULT, RelayTimings

DEFAULT_OPTIONS = RelayOptions()


def relay_app(
    service: ServiceThread,
    options: RelayOptions = DEFAULT_OPTIONS,
    on_notification: Callable[[Notification], object] = lambda _: None,
    timings: RelayTimings = DEFAULT.relay,
) -> web.Application:
    """Return the application of a relay.

    Args:
        service: The session with the server; it is started and stopped with the application.
        options: Who gets in.
        on_notification: Called with each notification of the session but that of a change.
        timings: How long the relay waits for what.
    """
    check_options(options)
    app = guarded_app(options)
    app[CONTEXT] = RelayContext(service, on_notification, timings)
    app.router.add_get("/api/generate/progress", stream_progress, allow_head=False)
    app.router.add_get("/api/progress", poll_progress, allow_head=False)
    app.add_routes(commands.ROUTES)
    app.add_routes(health.ROUTES)
    app.add_routes(images.ROUTES)
    app.add_routes(openapi.ROUTES)
    app.add_routes(snapshots.ROUTES)
    app.cleanup_ctx.append(_run_session)
    app.on_shutdown.append(_stop_waiting)
    app.add_routes(page_routes())
    return app


async def _run_session(app: web.Application) -> AsyncIterator[None]:
    context = app[CONTEXT]
    async with context.session as session:
        trying = asyncio.create_task(_try_login_again(session, context.timings.login))
        yield
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)


async def _try_login_again(session: HeadlessSession, pause: float) -> None:
    """Connect again to a server that refused the login: it may have failed for a while, and nobody is here to ask."""
    while True:
        await session.until(_needs_login)
        await asyncio.sleep(pause)
        if _needs_login(session.state):
            session.service.reconnect()


def _needs_login(state: SessionState) -> bool:
    return state.link.kind is LinkKind.UNAUTHORISED


async def _stop_waiting(app: web.Application) -> None:
    app[CONTEXT].stop()
