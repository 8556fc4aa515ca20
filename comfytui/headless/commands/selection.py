"""Which jobs a command is about: some by their ids, a batch, or all batches of mine that are open."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from comfytui.comfy.errors import ComfyError
from comfytui.headless.feed import Feed
from comfytui.headless.session import HeadlessSession
from comfytui.headless.subscription import Subject
from comfytui.sanitize import sanitize

HISTORY_SECONDS = 2.0
"""For which an id that the queue does not have is looked for in the history, which is read after the queue."""
ID_LIMIT = 100
"""Characters of an id that are shown."""


class UnknownJobsError(Exception):
    """The server does not know a job or a batch; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user chose: exactly one of the three."""

    prompt_ids: tuple[str, ...] = ()
    batch_id: str | None = None
    mine: bool = False


async def selected(session: HeadlessSession, feed: Feed, selection: Selection) -> list[Subject]:
    """Return the jobs and batches of a selection; of mine, those that are open.

    Args:
        session: The session, which is connected.
        feed: The events of the session; it is brought up to date here.
        selection: What the user chose.

    Raises:
        UnknownJobsError: The session does not know a job or the batch, also after the history was read.
    """
    feed.update(session.state)
    if selection.batch_id is None and (ids := missing(feed, selection)):
        # The session reads the newest of the history; these may be older.
        with suppress(ComfyError):
            await asyncio.wrap_future(session.service.find_ended(ids))
    try:
        async with asyncio.timeout(HISTORY_SECONDS):
            while missing(feed, selection):
                await session.changed()
    except TimeoutError:
        raise UnknownJobsError(_unknown_text(missing(feed, selection), selection)) from None
    if selection.mine:
        return [Subject(batch_id=batch.id) for batch in feed.open_batches()]
    if selection.batch_id is not None:
        return [Subject(batch_id=selection.batch_id)]
    return [Subject(prompt_id=prompt_id) for prompt_id in selection.prompt_ids]


def missing(feed: Feed, selection: Selection) -> list[str]:
    """Return the ids of the selection that the session does not know."""
    if selection.batch_id is not None and selection.batch_id not in feed.state.batches:
        return [selection.batch_id]
    return [prompt_id for prompt_id in selection.prompt_ids if feed.job(prompt_id) is None]


def _unknown_text(ids: list[str], selection: Selection) -> str:
    names = ", ".join(sanitize(each, ID_LIMIT) for each in ids)
    if selection.batch_id is not None:
        return f"Batch {names} is unknown: neither your earlier sessions nor the server's queue or history has it."
    jobs = f"Job {names} is" if len(ids) == 1 else f"Jobs {names} are"
    return f"{jobs} in neither the server's queue nor its history."
