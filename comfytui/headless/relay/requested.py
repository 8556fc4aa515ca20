"""What a request asks for: a job, or the events of a job, a batch or all of mine; and whether it wants something."""

import asyncio
import re
from contextlib import suppress

from aiohttp import web

from comfytui.headless.relay.context import CONTEXT
from comfytui.headless.relay.errors import why_away
from comfytui.headless.session import is_current
from comfytui.headless.subscription import Subject, Subscription
from comfytui.session.model import Job
from comfytui.session.state import SessionState

_EVENT_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


async def subscription_of(request: web.Request) -> Subscription:
    """Return the events that a request asks for, once it is known that there is such a job or batch.

    Raises:
        web.HTTPBadRequest: It asks for a job and a batch.
        web.HTTPNotFound: There is no such job or batch.
        web.HTTPServiceUnavailable: It is not known whether there is, as the server does not answer.
    """
    context = request.app[CONTEXT]
    subject, feed = _subject_of(request), context.feed
    with suppress(TimeoutError):
        async with asyncio.timeout(context.timings.known):
            # Before the journal is read, a client that comes back would not be told what it missed.
            await context.session.until(lambda _: feed.state.client_ids or context.stopping)
            # The state of the feed may be a moment behind that of the session.
            await context.session.until(
                lambda _: Subscription(feed, subject).exists or is_current(feed.state) or context.stopping
            )
    subscription = Subscription(feed, subject, _last_id_of(request))
    if subscription.exists:
        return subscription
    kind = "job" if subject.prompt_id is not None else "batch"
    raise _unknown(kind, feed.state)


def requested_job(request: web.Request) -> Job:
    """Return the job that the path names, also by the id that it had before an old server gave it another.

    Raises:
        web.HTTPNotFound: There is no such job.
        web.HTTPServiceUnavailable: It is not known whether there is, as the server does not answer.
    """
    feed = request.app[CONTEXT].feed
    if (job := feed.job(request.match_info["prompt_id"])) is None:
        raise _unknown("job", feed.state)
    return job


def requested_batch(request: web.Request) -> str:
    """Return the id of the batch of mine that the path names; raises as `requested_job`."""
    batch_id, state = request.match_info["batch_id"], request.app[CONTEXT].feed.state
    if batch_id not in state.batches:
        raise _unknown("batch", state)
    return batch_id


def requested_flag(request: web.Request, name: str) -> bool:
    """Return whether a parameter of the query is 1.

    Raises:
        web.HTTPBadRequest: It is neither 1 nor 0.
    """
    if (text := request.query.get(name, "0")) not in {"0", "1"}:
        raise web.HTTPBadRequest(text=f"{name} is 1 or 0.")
    return text == "1"


def _unknown(kind: str, state: SessionState) -> web.HTTPError:
    if is_current(state):
        return web.HTTPNotFound(text=f"There is no {kind} with this id.")
    return web.HTTPServiceUnavailable(text=f"{why_away(state)}: it is not known whether there is such a {kind}.")


def _subject_of(request: web.Request) -> Subject:
    subject = Subject(request.query.get("promptId"), request.query.get("batchId"))
    if subject.prompt_id is not None and subject.batch_id is not None:
        raise web.HTTPBadRequest(text="Give promptId or batchId, not both.")
    return subject


def _last_id_of(request: web.Request) -> int | None:
    """Return the id of the last event that the client got; None for what cannot be one."""
    text = request.headers.get("Last-Event-ID") or request.query.get("lastEventId", "")
    if not _EVENT_ID.fullmatch(text) or int(text) > request.app[CONTEXT].feed.revision:
        return None
    return int(text)
