"""The routes of what is known now: the queue, one job, and the server."""

import time

import msgspec
from aiohttp import web

from comfytui.headless.documents.server import server_snapshot
from comfytui.headless.documents.snapshots import job_snapshot, queue_snapshot
from comfytui.headless.relay.answers import json_if_changed
from comfytui.headless.relay.context import CONTEXT, RelayContext
from comfytui.headless.relay.requested import requested_job

ROUTES = web.RouteTableDef()

_encode = msgspec.json.Encoder().encode


@ROUTES.get("/api/queue")
async def get_queue(request: web.Request) -> web.Response:
    """Answer with the jobs of the server, and my batches."""
    return json_if_changed(request, _queue_json(request.app[CONTEXT]))


@ROUTES.get("/api/jobs/{prompt_id}")
async def get_job(request: web.Request) -> web.Response:
    """Answer with one job."""
    context = request.app[CONTEXT]
    return json_if_changed(request, _encode(job_snapshot(context.feed.state, requested_job(request), urls=True)))


@ROUTES.get("/api/server")
async def get_server(request: web.Request) -> web.Response:
    """Answer with the server and the connection to it."""
    context = request.app[CONTEXT]
    server = context.session.service.server
    return json_if_changed(request, _encode(server_snapshot(context.feed.state, server, time.monotonic())))


def _queue_json(context: RelayContext) -> bytes:
    """Return the queue as JSON, made once for each change: it may be long, and many may ask for it."""
    revision = context.feed.revision
    if context.queue is None or context.queue[0] != revision:
        context.queue = revision, _encode(queue_snapshot(context.feed.state, time.monotonic(), urls=True))
    return context.queue[1]
