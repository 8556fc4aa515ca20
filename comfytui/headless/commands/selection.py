"""Which jobs a command is about: some by their ids, a batch, or all batches of mine that are open."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace

from comfytui.comfy.errors import ComfyError
from comfytui.headless.commands.short_ids import beginning_with
from comfytui.headless.commands.unsent import read_unsent
from comfytui.headless.feed import Feed
from comfytui.headless.session import HeadlessSession
from comfytui.headless.subscription import Subject
from comfytui.sanitize import sanitize

HISTORY_SECONDS = 2.0
"""For which an id that the queue does not have is looked for in the history, which is read after the queue."""
ID_LIMIT = 100
"""Characters of an id that are shown."""
MAX_NAMED = 5
"""Ids that are named which begin alike."""


class UnknownJobsError(Exception):
    """The server does not know a job or a batch, or several by that name; the message is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user chose: exactly one of the three. Of an id, the beginning is enough."""

    prompt_ids: tuple[str, ...] = ()
    batch_id: str | None = None
    mine: bool = False


async def selected(session: HeadlessSession, feed: Feed, selection: Selection) -> list[Subject]:
    """Return the jobs and batches of a selection; of mine, those that are open.

    The session may not know a batch yet that another process still has to send.

    Args:
        session: The session, which is connected.
        feed: The events of the session; it is brought up to date here.
        selection: What the user chose.

    Raises:
        UnknownJobsError: The session does not know a job or the batch, also after the history was read; or it knows
            several ids that begin like the one that was given.
    """
    feed.update(session.state)
    unsent = [] if selection.prompt_ids else [each.batch.id for each in await read_unsent(session.service.server)]
    selection = _completed(feed, selection, unsent)
    if selection.batch_id in unsent:
        return [Subject(batch_id=selection.batch_id)]
    if ids := missing(feed, selection):
        # The session has the newest of the journal and the history; these may be older.
        with suppress(ComfyError):
            await asyncio.wrap_future(session.service.find_ended(ids))
    try:
        async with asyncio.timeout(HISTORY_SECONDS):
            while missing(feed, selection):
                await session.changed()
    except TimeoutError:
        raise UnknownJobsError(_unknown_text(missing(feed, selection), selection)) from None
    if selection.mine:
        ids = [*(batch.id for batch in feed.open_batches()), *unsent]
        return [Subject(batch_id=batch_id) for batch_id in dict.fromkeys(ids)]
    if selection.batch_id is not None:
        return [Subject(batch_id=selection.batch_id)]
    return [Subject(prompt_id=prompt_id) for prompt_id in selection.prompt_ids]


async def until_known(session: HeadlessSession, subjects: Collection[Subject]) -> None:
    """Wait until the session knows some batches: the server has a job of each, or the journal knows how it ended."""
    ids = [each.batch_id for each in subjects if each.batch_id is not None]
    while unknown := [batch_id for batch_id in ids if batch_id not in session.state.batches]:
        with suppress(ComfyError):
            await asyncio.wrap_future(session.service.find_ended(unknown))
        with suppress(TimeoutError):
            async with asyncio.timeout(HISTORY_SECONDS):
                await session.changed()


def _completed(feed: Feed, selection: Selection, unsent: Collection[str]) -> Selection:
    """Return the selection with whole ids, as far as the session knows them; each once."""
    if selection.batch_id is not None:
        return replace(selection, batch_id=_complete(selection.batch_id, {*feed.state.batches, *unsent}))
    ids = (each if feed.job(each) else _complete(each, feed.state.jobs) for each in selection.prompt_ids)
    return replace(selection, prompt_ids=tuple(dict.fromkeys(ids)))


def _complete(given: str, ids: Collection[str]) -> str:
    """Return the only id that begins as the given one; that itself if none does."""
    found = [given] if given in ids else beginning_with(given, ids)
    if len(found) > 1:
        named = ", ".join(sanitize(each, ID_LIMIT) for each in found[:MAX_NAMED])
        rest = ", ..." if len(found) > MAX_NAMED else ""
        raise UnknownJobsError(f"{len(found)} ids begin with {sanitize(given, ID_LIMIT)}: {named}{rest}.")
    return found[0] if found else given


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
