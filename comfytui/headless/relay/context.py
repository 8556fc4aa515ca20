"""What the handlers of the relay share: the session, its events and its newest preview."""

from collections.abc import Callable

from aiohttp import web

from comfytui.headless.feed import Feed
from comfytui.headless.relay.generation import Generation
from comfytui.headless.relay.limits import Turns
from comfytui.headless.relay.metrics import RelayMetrics
from comfytui.headless.relay.thumbnails import Thumbnails
from comfytui.headless.session import HeadlessSession
from comfytui.service.notifications import JobEnded, Notification, PreviewReceived
from comfytui.service.thread import ServiceThread
from comfytui.timings import DEFAULT, RelayTimings


class RelayContext:
    """The session that a relay shows.

    Args:
        service: The session with the server, which is not started yet.
        on_notification: Called with each notification but that of a change.
        timings: How long the relay waits for what.
    """

    def __init__(
        self,
        service: ServiceThread,
        on_notification: Callable[[Notification], object] = lambda _: None,
        timings: RelayTimings = DEFAULT.relay,
    ) -> None:
        self._on_notification = on_notification
        self.feed = Feed(urls=True)
        """The events of my jobs."""
        self.session = HeadlessSession(service, self.feed.update, self._receive)
        """The session; it is open while the relay serves."""
        self.generation = Generation(self.session, self.feed)
        """Makes images that clients ask for."""
        self.turns = Turns()
        """The turns of these clients."""
        self.preview: PreviewReceived | None = None
        """The newest preview."""
        self.timings = timings
        """How long the relay waits for what."""
        self.stopping = False
        """Whether the relay ends, and with it every response that waits for a change."""
        self.streams = 0
        """Clients that follow a stream."""
        self.metrics = RelayMetrics(lambda: self.feed.state, lambda: self.streams)
        """The figures of the relay."""
        self.thumbnails = Thumbnails()
        """Makes smaller versions of images."""
        self.transfers = 0
        """Files that are being passed on."""
        self.queue: tuple[int, bytes] | None = None
        """The queue as JSON, and the revision of the feed that it is of."""

    def stop(self) -> None:
        """Let those who wait for a change end."""
        self.stopping = True
        self.session.wake()

    def _receive(self, notification: Notification) -> None:
        if isinstance(notification, PreviewReceived):
            self.preview = notification
        elif isinstance(notification, JobEnded):
            self.metrics.count(notification.job)
        self._on_notification(notification)


CONTEXT = web.AppKey("context", RelayContext)
"""Where a handler finds it: `request.app[CONTEXT]`."""
