"""What a notice says to the user, in one sentence."""

from collections.abc import Sequence

from comfytui.service.notifications import Notice, ServiceFailed, Severity, UserMessage
from comfytui.session.model import Job

News = tuple[str, Severity]
"""One sentence, and how loud it is."""


def news_of(notice: Notice) -> News | None:
    """The sentence for a notice; None where the screen itself shows what happened."""
    match notice:
        case UserMessage(text=text, severity=severity):
            return text, severity
        case ServiceFailed(reason=reason, retry_in=retry_in):
            again = f" It starts again in {retry_in:.0f} s." if retry_in else ""
            return f"A fault in comfytui: {reason}.{again}", "error"
        case _:
            return None


def lost_news(lost: Sequence[Job]) -> News:
    """One sentence for all jobs that the server turned out to have forgotten."""
    what = "a job" if len(lost) == 1 else f"{len(lost)} jobs"
    why = "it was restarted, or its queue was cleared"
    return f"The server no longer knows {what} of yours: {why}. Select one and press r to resend.", "warning"
