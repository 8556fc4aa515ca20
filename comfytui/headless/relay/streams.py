"""Events as a stream of server-sent events, which ends with the last event about what a client follows."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from comfytui.headless.facts import FeedEvent
from comfytui.headless.relay.context import CONTEXT, RelayContext
from comfytui.headless.relay.previews import PreviewFollower
from comfytui.headless.relay.requested import requested_flag, subscription_of
from comfytui.headless.subscription import Subscription

SEND_BUFFER = 32_768
"""Bytes that the kernel may keep for a client: what waits there is no longer the newest state."""
RETRY = b"retry: 3000\n\n"
STOPS = b": the relay stops\n\n"

Send = Callable[[bytes], Awaitable[None]]


async def stream_progress(request: web.Request) -> web.StreamResponse:
    """`GET /api/generate/progress`: the events of a job, a batch or all of mine, as they come.

    A client that comes back after the last event about a job or a batch gets 204.
    """
    with_previews = requested_flag(request, "previews")
    subscription = await subscription_of(request)
    if subscription.is_over:
        # Makes an EventSource stop, which would come back for ever: the HTML standard.
        return web.Response(status=204, headers={"Cache-Control": "no-store"})
    context = request.app[CONTEXT]
    previews = PreviewFollower(context, subscription.subject) if with_previews else None
    _keep_little(request)
    timings = context.timings
    response = EventSourceResponse(sep="\n", ping_interval=timings.ping, send_timeout=timings.send)
    response.headers["Cache-Control"] = "no-store"
    # The connection ends with the stream, as HTTP/1.0 needs it; EventSourceResponse would say that it goes on.
    del response.headers["Connection"]
    response.force_close()
    writer = await response.prepare(request)
    assert writer is not None

    async def send(data: bytes) -> None:
        # EventSourceResponse.send encodes each event again, and does not wait until a slow client has read.
        async with asyncio.timeout(timings.send):
            await response.write(data)
            await writer.drain()

    async with response:
        context.streams += 1
        try:
            await _send_events(context, subscription, previews, send)
        except TimeoutError:
            if request.transport:
                request.transport.abort()
        except ConnectionError:
            pass  # The client has left.
        finally:
            context.streams -= 1
    return response


async def _send_events(
    context: RelayContext, subscription: Subscription, previews: PreviewFollower | None, send: Send
) -> None:
    """Send what is new after each change, in one write, until there is no more to come."""
    data = RETRY
    while not context.stopping:
        revision = context.session.revision
        data += b"".join(map(_event_text, subscription.take()))
        if previews:
            data += previews.take()
        if data:
            await send(data)
        if subscription.ended or not subscription.exists:
            return
        data = b""
        await context.session.changed_since(revision)
    await send(STOPS)


def _event_text(event: FeedEvent) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.id, event.event.event.encode(), event.data)


def _keep_little(request: web.Request) -> None:
    """Keep no more than one write for a client that does not read."""
    transport = request.transport
    if transport is None:
        return  # It has left: the first write says so.
    transport.set_write_buffer_limits(0)
    if (connection := transport.get_extra_info("socket")) is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
