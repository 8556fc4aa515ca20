"""What a notice says to the user, in one sentence."""

from comfytui.service.notices import JobEnded, Notice, ServiceFailed, Severity, Told
from comfytui.session.model import Job, JobStatus

News = tuple[str, Severity]
"""One sentence, and how loud it is."""


def news_of(notice: Notice) -> News | None:
    """The sentence for a notice; None where the screen itself shows what happened."""
    match notice:
        case Told(text=text, severity=severity):
            return text, severity
        case JobEnded(job=job):
            return _end_of(job)
        case ServiceFailed(reason=reason, retry_in=retry_in):
            again = f" It starts again in {retry_in:.0f} s." if retry_in else ""
            return f"A fault in comfytui: {reason}.{again}", "error"
        case _:
            return None


def _end_of(job: Job) -> News | None:
    place = f"Image {job.mark.index} of {job.mark.total}" if job.mark else "The job"
    lost = f"{place} is lost: the server no longer knows it. Press F5 to queue again."
    return (lost, "warning") if job.status is JobStatus.LOST else None
