"""The newest preview as an event, within a budget of each client."""

from functools import lru_cache
from time import monotonic

import msgspec

from comfytui.headless.documents.other_events import PreviewEvent
from comfytui.headless.relay.context import RelayContext
from comfytui.headless.relay.media import image_type_of
from comfytui.headless.subscription import Subject
from comfytui.service.notifications import PreviewReceived
from comfytui.session.model import Job
from comfytui.session.selectors import batch_of

BYTES_PER_SECOND = 64_000
"""What the previews for one client may use; those in between are left out."""


class PreviewFollower:
    """The previews of what one client follows: always the newest, and none twice.

    Args:
        context: Where the newest preview is.
        subject: What the client follows.
    """

    def __init__(self, context: RelayContext, subject: Subject) -> None:
        self._context = context
        self._subject = subject
        self._taken: PreviewReceived | None = None
        self._pause_until = 0.0

    def take(self) -> bytes:
        """Return the newest preview as a server-sent event; nothing if the client has it, or is to wait."""
        preview, now = self._context.preview, monotonic()
        if preview is None or preview is self._taken or now < self._pause_until:
            return b""
        job = self._context.feed.state.jobs.get(preview.prompt_id)
        if job is None or job.status.ended or not self._follows(job):
            return b""
        event = _event_text(preview)
        self._taken = preview
        self._pause_until = now + len(event) / BYTES_PER_SECOND
        return event

    def _follows(self, job: Job) -> bool:
        if self._subject.prompt_id is not None:
            return self._context.feed.job(self._subject.prompt_id) is job
        batch = batch_of(self._context.feed.state, job)
        return batch is not None and self._subject.batch_id in {None, batch.id}


@lru_cache(maxsize=1)
def _event_text(preview: PreviewReceived) -> bytes:
    """Return a preview as a server-sent event; nothing if it is no image."""
    if (media_type := image_type_of(preview.image)) is None:
        return b""
    event = PreviewEvent(prompt_id=preview.prompt_id, media_type=media_type, data=preview.image)
    # Without an id: a client that comes back does not ask for it.
    return b"event: preview\ndata: %b\n\n" % msgspec.json.encode(event)
