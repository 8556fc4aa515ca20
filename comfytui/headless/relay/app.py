"""The relay as an aiohttp application: its routes, and the session that it shows as long as it runs."""

from collections.abc import AsyncIterator

from aiohttp import web

from comfytui.headless.relay import images, snapshots
from comfytui.headless.relay.context import CONTEXT, RelayContext
from comfytui.headless.relay.polling import poll_progress
from comfytui.headless.relay.streams import stream_progress
from comfytui.service.thread import ServiceThread


def relay_app(service: ServiceThread) -> web.Application:
    """Return the application of a relay.

    Args:
        service: The session with the server; it is started and stopped with the application.
    """
    app = web.Application()
    app[CONTEXT] = RelayContext(service)
    app.add_routes(images.ROUTES)
    app.add_routes(snapshots.ROUTES)
    app.cleanup_ctx.append(_run_session)
    app.on_shutdown.append(_stop_waiting)
    app.router.add_get("/api/generate/progress", stream_progress, allow_head=False)
    app.router.add_get("/api/progress", poll_progress, allow_head=False)
    return app


async def _run_session(app: web.Application) -> AsyncIterator[None]:
    async with app[CONTEXT].session:
        yield


async def _stop_waiting(app: web.Application) -> None:
    app[CONTEXT].stop()
