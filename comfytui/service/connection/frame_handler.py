"""Handles the frames that the sockets receive: applies them, and requests a poll where HTTP may know more."""

from collections.abc import Callable

from comfytui.comfy.protocol.events import (
    Event,
    Executing,
    ExecutionError,
    ExecutionInterrupted,
    ExecutionSuccess,
    PreviewImage,
    Status,
)
from comfytui.service.connection.early_frames import EarlyFrames
from comfytui.service.connection.poller import Poller
from comfytui.service.connection.watchdog import Watchdog
from comfytui.session.events import SessionEvent
from comfytui.session.jobs.execution import EndFrame, RunFrame
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState, only_run, shown_run


class FrameHandler:
    """Passes the frames that count on to the session, and what they show to the watchdog and the poller.

    Args:
        state: Returns the session's state.
        apply: Receives the frames.
        show_preview: Receives the prompt id and the image of each preview of the run that is shown.
        early_frames: Holds the frames back that do not count yet.
        watchdog: Notified of every frame, also of those that are held back.
        poller: Polls the queue and the history.
    """

    def __init__(
        self,
        state: Callable[[], SessionState],
        apply: Callable[[SessionEvent], None],
        show_preview: Callable[[str, bytes], None],
        early_frames: EarlyFrames,
        watchdog: Watchdog,
        poller: Poller,
    ) -> None:
        self._state = state
        self._apply = apply
        self._show_preview = show_preview
        self._early_frames = early_frames
        self._watchdog = watchdog
        self._poller = poller

    def handle(self, client_id: str, frame: Event, *, counts_arrivals: bool) -> None:
        """Handle one frame.

        Args:
            client_id: The socket that received it.
            frame: The frame.
            counts_arrivals: Whether its `status` frames are used to count arrivals in the queue.
        """
        if isinstance(frame, PreviewImage):
            self._handle_preview(client_id, frame)
            return
        self._watchdog.message_received(client_id, of_run=is_run_frame(frame))
        if not self._early_frames.hold(client_id, frame):
            self._apply(frame)
            if isinstance(frame, Status) and counts_arrivals:
                self._poller.announce(frame.queue_remaining)
        # A server that rejected the credentials is not polled again at every frame.
        if may_change_queue(frame) and self._state().link.kind is not LinkKind.UNAUTHORISED:
            self._poller.request()

    def _handle_preview(self, client_id: str, frame: PreviewImage) -> None:
        self._watchdog.message_received(client_id, of_run=True)
        state = self._state()
        run = only_run(state) if frame.prompt_id is None else state.runs.get(frame.prompt_id)
        # Others are not shown, and a preview is large.
        if run and run is shown_run(state) and not self._early_frames.hold(client_id, frame):
            self._show_preview(run.prompt_id, frame.image)


def is_run_frame(frame: Event) -> bool:
    """Return whether a frame proves that frames of runs arrive; the greeting after a reconnect names no prompt."""
    return isinstance(frame, RunFrame | EndFrame) and frame.prompt_id is not None


def may_change_queue(frame: Event) -> bool:
    """Return whether the queue or the history may tell more than the frame does."""
    match frame:
        case Status() | ExecutionSuccess() | ExecutionError() | ExecutionInterrupted() | Executing(node=None):
            return True
        case _:
            return False
