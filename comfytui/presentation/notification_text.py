"""Compose the messages that notify the user, one sentence each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

from comfytui.presentation.command_text import NotificationText, cancellation_message
from comfytui.service.notifications import (
    BatchRejected,
    CancelledOnArrival,
    JobEnded,
    LoginRequired,
    Notification,
    NotReached,
    PreviewReceived,
    ServiceFailed,
    SessionChanged,
    UserMessage,
)
from comfytui.session.model import Job

if TYPE_CHECKING:
    from comfytui.comfy.protocol.capabilities import Capabilities


def message_for(notification: Notification) -> NotificationText | None:
    """Return the message for a notification; None where the screen itself shows what happened."""
    match notification:
        case CancelledOnArrival(result=result):
            return cancellation_message(result)
        case UserMessage(text=text, severity=severity):
            return text, severity
        case ServiceFailed(reason=reason, retry_in=retry_in):
            again = f" It starts again in {retry_in:.0f} s." if retry_in else ""
            return f"A fault in comfytui: {reason}.{again}", "error"
        case SessionChanged() | PreviewReceived() | JobEnded() | BatchRejected() | NotReached() | LoginRequired():
            return None
        case _:
            assert_never(notification)


def lost_jobs_message(lost: Sequence[Job]) -> NotificationText:
    """Return one message for all jobs that the server no longer knows."""
    what = "a job" if len(lost) == 1 else f"{len(lost)} jobs"
    why = "it was restarted, or its queue was cleared"
    return f"The server no longer knows {what} of yours: {why}. Select one and press r to resend.", "warning"


def previews_message(capabilities: "Capabilities | None", *, on: bool) -> str:
    """Return the message for previews switched on or off, also on servers that cannot stop sending them."""
    if on:
        return "Previews on."
    if capabilities is None or capabilities.previews_by_prompt:
        return "Previews off: from the next batch on, the server sends none."
    return "Previews off here: this server is too old to stop sending them."
