"""One follower of the feed: which events it is still to get, for a job, a batch, or all of mine."""

from dataclasses import dataclass

from comfytui.headless.documents.events import ProgressEvent
from comfytui.headless.facts import FeedEvent
from comfytui.headless.feed import Feed


@dataclass(frozen=True, slots=True)
class Subject:
    """What is followed: a job, a batch, or, without either, all batches of mine."""

    prompt_id: str | None = None
    batch_id: str | None = None


class Subscription:
    """The events of one subject that a follower has not got; it may take them as slowly as it wants.

    It keeps no events, only how far the follower is.

    Args:
        feed: The events.
        subject: What to follow.
        last_id: The id of the last event that the follower got, also of an earlier process; None for a new one.
    """

    def __init__(self, feed: Feed, subject: Subject, last_id: int | None = None) -> None:
        self._feed = feed
        self.subject = subject
        """What is followed."""
        # A new follower of one batch gets all of its images; one of all batches only what ends from now on.
        self.last_id = last_id if last_id is not None else 0 if subject.batch_id else feed.revision
        """The id up to which the follower has all images and ends."""
        self._received = last_id or 0
        self._sent: dict[str, ProgressEvent | None] = {}
        self.ended = False
        """Whether the last event about the subject was taken."""

    @property
    def exists(self) -> bool:
        """Whether the session knows the job or the batch."""
        if self.subject.prompt_id is not None:
            return self._feed.job(self.subject.prompt_id) is not None
        return self.subject.batch_id is None or self.subject.batch_id in self._feed.state.batches

    @property
    def is_over(self) -> bool:
        """Whether the follower got the last event about the subject before it came back."""
        prompt_id, batch_id = self.subject.prompt_id, self.subject.batch_id
        job = self._feed.job(prompt_id) if prompt_id is not None else None
        end_id = self._feed.end_id(job.prompt_id if job else batch_id or "")
        return end_id is not None and self._received >= end_id

    def take(self) -> list[FeedEvent]:
        """Return the images and ends that are new, in order, and the present progress of what changed."""
        if self.ended:
            return []
        if self.subject.prompt_id is not None:
            return self._of_job(self.subject.prompt_id)
        if self.subject.batch_id is not None:
            return self._of_batch(self.subject.batch_id)
        return self._of_all()

    def _of_job(self, prompt_id: str) -> list[FeedEvent]:
        job = self._feed.job(prompt_id)
        if job is None:
            return []
        if self._feed.is_settled(job):
            self.ended = True
            return [self._feed.image(job), self._feed.end_of_job(job)]
        return self._if_changed(prompt_id, self._feed.progress_of_job(job))

    def _of_batch(self, batch_id: str) -> list[FeedEvent]:
        batch = self._feed.state.batches.get(batch_id)
        if batch is None:
            return []
        facts = [fact for fact in self._new_facts(batch_id) if fact.event.event == "image"]
        if self._feed.has_ended(batch):
            self.ended = True
            return [*facts, self._feed.end_of_batch(batch)]
        return [*facts, *self._if_changed(batch_id, self._feed.progress_of_batch(batch))]

    def _of_all(self) -> list[FeedEvent]:
        events = self._new_facts()
        open_batches = {batch.id: batch for batch in self._feed.open_batches()}
        for batch in open_batches.values():
            events += self._if_changed(batch.id, self._feed.progress_of_batch(batch))
        self._sent = {key: event for key, event in self._sent.items() if key in open_batches}
        return events

    def _new_facts(self, batch_id: str | None = None) -> list[FeedEvent]:
        facts = self._feed.facts_after(self.last_id, batch_id)
        self.last_id = self._feed.revision
        return facts

    def _if_changed(self, key: str, progress: FeedEvent) -> list[FeedEvent]:
        """Return the progress if more than the time changed since the follower got it."""
        if self._sent.get(key) == progress.untimed:
            return []
        self._sent[key] = progress.untimed
        return [progress]
