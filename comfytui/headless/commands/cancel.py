"""`comfytui cancel`: cancel jobs, and tell what became of each."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress

from comfytui.clock import SYSTEM_CLOCK
from comfytui.comfy.errors import ComfyError, ServerError, TimedOut, Unreachable
from comfytui.comfy.server import Server
from comfytui.headless.commands.connecting import UnreachableError, connected
from comfytui.headless.commands.interrupts import can_ask
from comfytui.headless.commands.output import write_documents, write_lines
from comfytui.headless.commands.selection import ID_LIMIT, Selection, selected
from comfytui.headless.commands.unsent import read_unsent, with_unsent
from comfytui.headless.documents.cancellations import CancelDocument
from comfytui.headless.feed import Feed
from comfytui.headless.session import HeadlessSession
from comfytui.headless.subscription import Subject
from comfytui.presentation.command_text import COMMAND_LINE_OUTCOMES, cancellation_message
from comfytui.sanitize import sanitize
from comfytui.service.results import BatchCancelled, Cancelled, CancelOutcome
from comfytui.session.model import Job
from comfytui.session.selectors import counts_of, jobs_of

ANSWER_SECONDS = 60.0
"""For all answers of the server, also for the jobs that are being sent, which are cancelled when it has them."""
MESSAGE_LIMIT = 500
"""Characters of a message that are shown."""
_ENDED = frozenset({
    CancelOutcome.DROPPED, CancelOutcome.DISMISSED, CancelOutcome.REMOVED, CancelOutcome.INTERRUPT_SENT,
    CancelOutcome.INTERRUPTED, CancelOutcome.ALREADY_ENDED, CancelOutcome.TOO_LATE,
})  # fmt: skip
"""The outcomes after which nothing of a job goes on."""

NO_ANSWER = "The server does not answer."

Result = Cancelled | BatchCancelled | ComfyError


async def cancel(
    server: Server, selection: Selection, *, as_json: bool, force: bool, ask: bool, seconds: float = ANSWER_SECONDS
) -> bool:
    """Cancel the jobs of a selection, and write what became of each.

    Args:
        server: The server.
        selection: Which jobs.
        as_json: Write JSON.
        force: Interrupt even if the server can only stop whatever runs.
        ask: Ask first, if there is a terminal to ask on, and all of mine are to be cancelled.
        seconds: How long to wait for the server at most.

    Returns:
        Whether all were cancelled, or had ended before.

    Raises:
        ConnectError: There is no session with the server, or it answers no more: some may go on.
        UnknownJobsError: A job or the batch is unknown.
    """
    feed = Feed()
    async with connected(server, feed.update) as session:
        subjects = await selected(session, feed, selection)
        if not subjects:
            write_lines(["None of your jobs is open."], sys.stderr)
        elif selection.mine and ask and can_ask() and not await _confirmed(session, subjects):
            write_lines(["Nothing was cancelled."], sys.stderr)
            return False
        documents: list[CancelDocument] = []
        unanswered: list[str] = []
        async for subject, result, is_certain in _results(session, feed, subjects, force=force, seconds=seconds):
            document = _document(subject, result, is_certain=is_certain)
            documents.append(document)
            reason = _no_answer(session, result, is_certain=is_certain)
            if reason:
                unanswered.append(reason)
            if as_json:
                write_documents([document])
            elif not (reason and isinstance(result, ComfyError)):  # Said once, at the end.
                write_lines([_line(document)], sys.stdout)
        if unanswered:
            raise UnreachableError(_unanswered_text(unanswered, len(documents)))
        return all(document.cancelled for document in documents)


async def _results(
    session: HeadlessSession, feed: Feed, subjects: list[Subject], *, force: bool, seconds: float
) -> AsyncIterator[tuple[Subject, Result, bool]]:
    """Cancel all, then yield for each what became of it, and whether that is certain."""
    deadline = asyncio.get_running_loop().time() + seconds
    # All at once: one that is to be cancelled when the server has it holds up none of the others.
    for subject, result in [(each, await _cancel(session, each, deadline, force=force)) for each in subjects]:
        yield subject, result, await _arrived(session, feed, subject, deadline)


def _no_answer(session: HeadlessSession, result: Result, *, is_certain: bool) -> str:
    """Return why it is not known what became of a job or a batch; empty if the server told it."""
    match result.error if isinstance(result, BatchCancelled) else result:
        case Unreachable() | TimedOut() | ServerError(status=None) as error:
            return str(error)
    return NO_ANSWER if not is_certain and session.state.link.kind.away else ""


def _unanswered_text(reasons: list[str], total: int) -> str:
    which = "It" if total == 1 else f"{len(reasons)} of {total}"
    return f"{sanitize(reasons[0], MESSAGE_LIMIT)} {which} may go on: cancel once more when the server is back."


async def _cancel(session: HeadlessSession, subject: Subject, deadline: float, *, force: bool) -> Result:
    try:
        async with asyncio.timeout_at(deadline):
            if subject.batch_id is not None:
                return await asyncio.wrap_future(session.service.cancel_batch(subject.batch_id, force=force))
            return await asyncio.wrap_future(session.service.cancel(subject.prompt_id or "", force=force))
    except TimeoutError:
        return TimedOut(NO_ANSWER)
    except ComfyError as error:
        return error


async def _arrived(session: HeadlessSession, feed: Feed, subject: Subject, deadline: float) -> bool:
    """Wait until jobs that are cancelled when the server has them are; return whether they are."""

    def is_pending(job: Job) -> bool:
        return job.cancel_requested and not job.status.ended

    def jobs() -> list[Job]:
        if subject.batch_id is not None:
            batch = session.state.batches.get(subject.batch_id)
            return jobs_of(session.state, batch) if batch else []
        job = session.state.jobs.get(subject.prompt_id or "") or feed.job(subject.prompt_id or "")
        return [job] if job else []

    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            while any(map(is_pending, jobs())):
                await session.changed()
            return True
    return False


def _document(subject: Subject, result: Result, *, is_certain: bool) -> CancelDocument:
    message, _ = cancellation_message(result, COMMAND_LINE_OUTCOMES)
    match result:
        case Cancelled(outcome):
            waits = outcome in {CancelOutcome.ON_ARRIVAL, CancelOutcome.UNCONFIRMED}
            cancelled = outcome in _ENDED or (waits and is_certain)
        case BatchCancelled(others=outcome, error=error, being_sent=being_sent):
            cancelled = error is None and not being_sent and (outcome is None or outcome in _ENDED) and is_certain
        case _:
            outcome, cancelled = None, False
    return CancelDocument(
        prompt_id=subject.prompt_id,
        batch_id=subject.batch_id,
        cancelled=cancelled,
        outcome=outcome.name.lower() if outcome else None,
        message=sanitize(message, MESSAGE_LIMIT),
    )


def _line(document: CancelDocument) -> str:
    name = document.prompt_id if document.batch_id is None else f"Batch {document.batch_id}"
    return f"{sanitize(name or '', ID_LIMIT)}  {document.message}"


async def _confirmed(session: HeadlessSession, subjects: list[Subject]) -> bool:
    """Ask on the terminal whether to cancel all of mine."""
    state = with_unsent(session.state, await read_unsent(session.service.server), SYSTEM_CLOCK)
    batches = [state.batches.get(each.batch_id or "") for each in subjects]
    jobs = sum(counts_of(state, batch).open for batch in batches if batch)
    what = f"{jobs} jobs in {len(batches)} batches" if len(batches) > 1 else f"{jobs} job{'s' if jobs != 1 else ''}"
    sys.stderr.write(f"Cancel {what}? [y/N] ")
    sys.stderr.flush()
    loop, typed, descriptor = asyncio.get_running_loop(), asyncio.Event(), sys.stdin.fileno()
    loop.add_reader(descriptor, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 1_024).decode(errors="replace").strip().lower() in {"y", "yes"}
