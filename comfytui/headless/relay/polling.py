"""The same events as JSON, for clients that cannot read a stream: at once, or when something differs."""

import asyncio
import re
from contextlib import suppress
from hashlib import blake2b

import msgspec
from aiohttp import ETag, web

from comfytui.headless.documents.jobs import VERSION, Document
from comfytui.headless.facts import FeedEvent
from comfytui.headless.relay.answers import json_answer
from comfytui.headless.relay.context import CONTEXT
from comfytui.headless.relay.requested import subscription_of
from comfytui.headless.subscription import Subscription

MAX_WAIT = 60
"""Seconds that a client may have its request wait."""

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


class Events(Document, frozen=True, kw_only=True):
    """What is new for a client."""

    version: int = VERSION
    events: tuple[msgspec.Raw, ...]
    """The events, as in the stream."""
    last_event_id: str
    """To give as `lastEventId` with the next request, so that only what is new then is told."""


async def poll_progress(request: web.Request) -> web.Response:
    """`GET /api/progress`: the events of a job, a batch or all of mine that are true now.

    With `wait=SECONDS` and If-None-Match, the answer waits until there is more than a change of times to tell.
    """
    seconds = _seconds_to_wait(request)
    known = {tag.value for tag in request.if_none_match or ()}
    first = await subscription_of(request)
    events, tag = _present(request, first)
    if known:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                events, tag = await _until_unknown(request, first, known)
    response = web.Response(status=304) if known & {tag, "*"} else _answer(request, events)
    # Weak, since answers that differ in times only have the same.
    response.etag = ETag(tag, is_weak=True)
    response.headers["Cache-Control"] = "no-cache"
    return response


async def _until_unknown(request: web.Request, first: Subscription, known: set[str]) -> tuple[list[FeedEvent], str]:
    """Wait until the client does not know the events, or the relay stops."""
    context = request.app[CONTEXT]
    while True:
        revision = context.session.revision
        events, tag = _present(request, first)
        if context.stopping or not known & {tag, "*"}:
            return events, tag
        await context.session.changed_since(revision)


def _present(request: web.Request, first: Subscription) -> tuple[list[FeedEvent], str]:
    """Return the events since what the request says that the client has, and their ETag."""
    events = Subscription(request.app[CONTEXT].feed, first.subject, first.last_id).take()
    digest = blake2b(digest_size=12)
    for event in events:
        digest.update(msgspec.json.encode(event.untimed) if event.untimed else event.data)
    return events, digest.hexdigest()


def _answer(request: web.Request, events: list[FeedEvent]) -> web.Response:
    last_id = str(request.app[CONTEXT].feed.revision)
    answer = Events(events=tuple(msgspec.Raw(event.data) for event in events), last_event_id=last_id)
    return json_answer(msgspec.json.encode(answer), headers={"Cache-Control": "no-cache"})


def _seconds_to_wait(request: web.Request) -> float:
    text = request.query.get("wait", "0")
    if not _SECONDS.fullmatch(text) or float(text) > MAX_WAIT:
        raise web.HTTPBadRequest(text=f"wait is a number of seconds, {MAX_WAIT} at most.")
    return float(text)
