"""The routes for whoever watches over the relay: its figures, and whether it is well."""

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from comfytui.headless.documents.events import link_name
from comfytui.headless.relay.answers import json_answer
from comfytui.headless.relay.context import CONTEXT
from comfytui.headless.relay.errors import STOPPED

ROUTES = web.RouteTableDef()


@ROUTES.get("/metrics")
async def get_metrics(request: web.Request) -> web.Response:
    """Answer with the figures of the relay, as Prometheus reads them."""
    body = generate_latest(request.app[CONTEXT].metrics.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"})


@ROUTES.get("/healthz")
async def get_health(request: web.Request) -> web.Response:
    """Answer that the relay is well, also while ComfyUI is away.

    Raises:
        HTTPServiceUnavailable: Its session has stopped, so that nothing changes here any more.
    """
    context = request.app[CONTEXT]
    if not context.session.is_running:
        raise web.HTTPServiceUnavailable(text=STOPPED)
    return json_answer(msgspec.json.encode({"status": "ok", "link": link_name(context.feed.state)}))
