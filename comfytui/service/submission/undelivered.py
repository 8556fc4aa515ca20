"""The submissions that a server is not known to have, and what is known of each."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from comfytui.clock import SYSTEM_CLOCK, Clock
from comfytui.service.connection.process_evidence import Evidence
from comfytui.service.journal.async_journal import AsyncJournal
from comfytui.service.submission.batch import Submission
from comfytui.session.events import JobCancelled, PromptAccepted, PromptRejected, SessionEvent
from comfytui.session.model import Failure

Apply = Callable[[SessionEvent], None]
OnRejected = Callable[[str, Failure], None]


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A POST whose answer was lost.

    `since` is the monotonic second in which it began, `evidence` what the server's process had before.
    """

    since: float
    evidence: Evidence


NONE_UNCONFIRMED: Mapping[str, Unconfirmed] = MappingProxyType({})


class Undelivered:
    """The undelivered submissions of one server, first in, first out.

    Args:
        apply: Takes the events that say what becomes of a submission.
        is_unsent: Tells whether the session still waits for a prompt to be sent.
        on_rejected: Called for a batch that the server rejects, with the reason.
        journal: Records each step.
        clock: Tells when a POST begins.
    """

    def __init__(
        self,
        apply: Apply,
        is_unsent: Callable[[str], bool],
        on_rejected: OnRejected,
        journal: AsyncJournal,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._apply = apply
        self._is_unsent = is_unsent
        self._on_rejected = on_rejected
        self._journal = journal
        self._submissions: dict[str, Submission] = {}
        self._added = asyncio.Event()
        self._posting: str | None = None
        # Kept here, they survive a crash of the task that sends, which would otherwise send them again.
        self._unconfirmed: dict[str, Unconfirmed] = {}
        self._cancel_requested: set[str] = set()
        self.failures = 0
        """How often the server answered with status 500 to the submission that is being sent."""

    def __contains__(self, prompt_id: str) -> bool:
        """Whether a prompt is undelivered: not sent, being sent, or unconfirmed."""
        return prompt_id in self._submissions

    def add(self, submissions: Iterable[Submission], unconfirmed: Mapping[str, Unconfirmed]) -> None:
        """Append submissions, of which those in `unconfirmed` have been sent already."""
        self._submissions |= {submission.prompt_id: submission for submission in submissions}
        self._unconfirmed |= unconfirmed
        self._added.set()

    async def first(self) -> Submission:
        """Wait until there is a submission; return the first."""
        while not self._submissions:
            self._added.clear()
            await self._added.wait()
        return next(iter(self._submissions.values()))

    def drop(self, prompt_id: str) -> bool:
        """Remove a prompt that was never sent; return whether there was one."""
        return prompt_id not in self._unconfirmed and self._submissions.pop(prompt_id, None) is not None

    def request_cancel(self, prompt_id: str) -> None:
        """Have a prompt cancelled when it turns out that the server has it, and otherwise not sent again."""
        self._cancel_requested.add(prompt_id)
        self._journal.record_cancel_request(prompt_id)

    def is_cancel_requested(self, prompt_id: str) -> bool:
        """Return whether a prompt is to be cancelled."""
        return prompt_id in self._cancel_requested

    def is_unconfirmed(self, prompt_id: str) -> bool:
        """Return whether a prompt was sent and the answer lost."""
        return prompt_id in self._unconfirmed and prompt_id != self._posting

    def unconfirmed_post(self, prompt_id: str) -> Unconfirmed | None:
        """Return the POST of a prompt that has no answer, or None."""
        return self._unconfirmed.get(prompt_id)

    def is_unsent(self, submission: Submission) -> bool:
        """Return whether the session still waits for a submission to be sent: no poll has found it on the server."""
        return self._is_unsent(submission.prompt_id)

    def is_settled(self, submission: Submission) -> bool:
        """Return whether nothing is left to do for a submission.

        One that a poll has found is not settled if it is still to be cancelled.
        """
        prompt_id = submission.prompt_id
        is_to_cancel = prompt_id in self._cancel_requested and prompt_id in self._unconfirmed
        return not is_to_cancel and not self._is_unsent(prompt_id)

    @contextmanager
    def posting(self, submission: Submission, evidence: Evidence) -> Iterator[None]:
        """Mark a submission as being sent for the duration of the block, and as unconfirmed until it is resolved."""
        self._posting = submission.prompt_id
        self._unconfirmed[submission.prompt_id] = Unconfirmed(self._clock.monotonic(), evidence)
        try:
            yield
        finally:
            self._posting = None

    def accept(self, submission: Submission, accepted_id: str, number: float) -> bool:
        """Remove a submission that the server has, under its id and queue number; return whether to cancel it now."""
        is_cancel_requested = submission.prompt_id in self._cancel_requested
        self.remove(submission)
        self._journal.record_accepted(submission.prompt_id, accepted_id, number)
        self._apply(PromptAccepted(submission.prompt_id, accepted_id, number))
        return is_cancel_requested

    def reset(self, submission: Submission) -> None:
        """Mark a submission as certainly not accepted: it is sent again, or cancelled if that was requested."""
        self._unconfirmed.pop(submission.prompt_id, None)
        self._journal.record_not_accepted(submission.prompt_id)

    def reject(self, submission: Submission, failure: Failure) -> None:
        """Remove the whole batch of a submission that the server rejected."""
        for other in [other for other in self._submissions.values() if other.batch == submission.batch]:
            self.remove(other)
            self._apply(PromptRejected(other.prompt_id, failure))
        self._on_rejected(submission.batch, failure)

    def cancel(self, submission: Submission) -> None:
        """Remove a submission that the server does not have, as cancelled."""
        self.remove(submission)
        self._apply(JobCancelled(submission.prompt_id))

    def remove(self, submission: Submission) -> None:
        """Remove a submission and all that is known of it."""
        self._submissions.pop(submission.prompt_id, None)
        self.failures = 0
        self._unconfirmed.pop(submission.prompt_id, None)
        self._cancel_requested.discard(submission.prompt_id)
