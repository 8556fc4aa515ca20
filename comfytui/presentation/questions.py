"""Compose the questions that are asked before jobs are cancelled, dismissed, resent or dropped."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.comfy.protocol.capabilities import Capabilities
    from comfytui.session.model import Job


def interrupt_warning(capabilities: "Capabilities | None") -> str:
    """Return a warning if the server interrupts whatever runs instead of the given job; empty otherwise."""
    if capabilities is None or capabilities.targeted_interrupt or not capabilities.cancel:
        return ""
    name = f"ComfyUI {sanitize(capabilities.version, 20)}" if capabilities.version else "This ComfyUI"
    return f"{name} is too old to interrupt a single job: it stops whatever runs at that moment."


def resend_question(lost: int, unsure: int, batches: int) -> str:
    """Return the question before lost jobs are resent; empty where none is needed.

    Args:
        lost: How many jobs are lost.
        unsure: How many of these may have finished.
        batches: How many batches they belong to.
    """
    if unsure:
        which = f"{unsure} of {lost_jobs_text(lost)}" if unsure < lost else lost_jobs_text(lost)
        them = ("it" if unsure == 1 else "them") + (", too" if unsure < lost else "")
        return f"{which} may have finished while comfytui was not connected. Resend {them}?"
    return f"Resend {lost_jobs_text(lost, batches)}?" if batches > 1 else ""


def resend_answers(lost: int, unsure: int) -> Mapping[str, str]:
    """Return what the answers `yes`, `no` and `cancel` to a `resend_question` do; empty where yes and no are clear."""
    if not 0 < unsure < lost:
        return {}
    others = lost - unsure
    return {"yes": f"all {lost}", "no": f"only the other {'one' if others == 1 else others}", "cancel": "nothing"}


def cancel_question(job: "Job", warning: str) -> str:
    """Return the question before a job is cancelled; empty where none is needed.

    Args:
        job: The job.
        warning: An `interrupt_warning`, which has to be confirmed; empty where there is none.
    """
    if job.mine or job.status.ended:
        return f"{warning} Stop it?" if warning else ""
    prompt = sanitize(job.parameters.prompt, 80) or "untitled"
    owner = sanitize(job.owner or "unknown", 8)
    question = f"'{prompt}' ({job.status.label}) belongs to another client, {owner}. Cancel it?"
    return f"{warning} {question}".lstrip()


def cancel_batch_question(cancellable: int, lost: int, warning: str, uncancellable: int = 0) -> str:
    """Return the question before the rest of a batch is cancelled.

    Args:
        cancellable: How many unfinished jobs of the batch can be cancelled, lost ones included.
        lost: How many of these are lost: they are dismissed.
        warning: A warning to add, such as an `interrupt_warning`.
        uncancellable: How many unfinished jobs go on, since the server has them and cannot cancel jobs.
    """
    goes = "goes" if uncancellable == 1 else "go"
    rest = f"{uncancellable} more {goes} on: this server cannot cancel jobs." if uncancellable else ""
    if lost == cancellable:
        asked = f"Dismiss {lost_jobs_text(lost)} of this batch? {'It' if lost == 1 else 'They'} cannot be resent then."
        return f"{asked} {rest}".rstrip()
    which = f"{cancellable} image{'' if cancellable == 1 else 's'}"
    what = which if uncancellable else "the remaining image" if cancellable == 1 else f"the remaining {which}"
    dismissed = f"{lost} of them {'is' if lost == 1 else 'are'} lost, and cannot be resent then." if lost else ""
    return " ".join(filter(None, (f"Cancel {what} of this batch?", dismissed, rest, warning)))


def close_question(unsent: int) -> str:
    """Return the question before the program closes, if images that are not sent would be lost."""
    which = "1 of your images is" if unsent == 1 else f"{unsent} of your images are"
    return f"{which} not sent yet and would be dropped. Close anyway?"


def lost_jobs_text(count: int, batches: int = 1) -> str:
    """Return `1 lost job`, or `5 lost jobs of 2 batches` where there are several batches."""
    jobs = f"{count} lost job{'' if count == 1 else 's'}"
    return f"{jobs} of {batches} batches" if batches > 1 else jobs
