"""How numbers and states read on the screen."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from comfytui.sanitize import sanitize
from comfytui.session.model import Failure, Job, Link, LinkKind
from comfytui.session.state import Run

if TYPE_CHECKING:
    from comfytui.comfy.protocol.capabilities import Capabilities
    from comfytui.comfy.protocol.models import SystemStats

GIB = 2**30
GAUGE_CELLS = 8
FAILURE_LIMIT = 300
"""Characters of a failure's message that are shown in one line."""
AS_LAST_SEEN = "as last seen"
"""Said of what nobody sees just now."""


def duration(seconds: float) -> str:
    """`0:03`, `12:40`, `1:02:33`; whole seconds, never negative."""
    total = max(0, int(seconds))
    hours, minutes = divmod(total // 60, 60)
    return f"{hours}:{minutes:02}:{total % 60:02}" if hours else f"{minutes}:{total % 60:02}"


def left(range_: tuple[float, float] | None) -> str:
    """`0:41 left`, or `0:30-0:50 left` while the guess is wide."""
    if range_ is None:
        return ""
    low, high = map(roughly, range_)
    return f"{low} left" if low == high else f"{low}-{high} left"


def starts(range_: tuple[float, float] | None) -> str:
    """`starts in 3:10`; while the guess is wide `starts in 2:00-3:10`, or `starts within 0:05` if it may be at once."""
    if range_ is None:
        return ""
    low, high = map(roughly, range_)
    if int(range_[0]) <= 0 and low != high:
        return f"starts within {high}"
    return f"starts in {low}" if low == high else f"starts in {low}-{high}"


def failed_in(word: str, failure: Failure) -> str:
    """`failed in KSampler: CUDA out of memory`."""
    where = f" in {sanitize(failure.node_type, 60)}" if failure.node_type else ""
    said = sanitize(failure.message, FAILURE_LIMIT)
    return f"{word}{where}: {said}" if said else word + where


def roughly(seconds: float) -> str:
    """`0:41`, `12:40`, `2h51`: of hours nobody knows the seconds."""
    hours, minutes = divmod(max(0, int(seconds)) // 60, 60)
    return f"{hours}h{minutes:02}" if hours else duration(seconds)


def rate(steps_per_second: float | None) -> str:
    """`3.1 it/s`, or `2.4 s/it` for slow boxes."""
    if not steps_per_second or steps_per_second <= 0:
        return ""
    if steps_per_second >= 1:
        return f"{steps_per_second:.1f} it/s"
    return f"{1 / steps_per_second:.1f} s/it"


def gauge(share: float, *, ascii_only: bool = False) -> str:
    """A bar of eight cells."""
    full, empty = ("#", ".") if ascii_only else ("▇", "▁")
    cells = round(min(1.0, max(0.0, share)) * GAUGE_CELLS)
    return full * cells + empty * (GAUGE_CELLS - cells)


def memory(used: int, total: int) -> str:
    """`17.2/24 GB`, moving in steps of one percent of the total so that noise writes nothing."""
    if total <= 0:
        return "?"
    stepped = round(used / total * 100) / 100 * total
    return f"{stepped / GIB:.1f}/{total / GIB:.0f} GB"


def box(stats: "SystemStats | None", *, ascii_only: bool = False, wide: bool = True) -> str:
    """The memory of the box: `VRAM ▇▇▇▇▇▇▁▁ 17.2/24 GB   RAM 31.0/64 GB`; without an accelerator only the RAM."""
    if stats is None:
        return ""
    parts = []
    vram = [
        (device.vram_total - device.vram_free, device.vram_total) for device in stats.devices if device.type != "cpu"
    ]
    if vram:
        used, total = (sum(column) for column in zip(*vram, strict=True))
        bar = gauge(used / total if total else 0, ascii_only=ascii_only) + " " if wide else ""
        parts.append(f"VRAM {bar}{memory(used, total)}")
    if wide or not vram:
        parts.append(f"RAM {memory(stats.ram_total - stats.ram_free, stats.ram_total)}")
    return "   ".join(parts)


def link(link_: Link, now: float, *, ascii_only: bool = False) -> str:
    """The state of the link in words, with a glyph; `now` in monotonic seconds."""
    run, down = ("*", "!") if ascii_only else ("●", "○")
    match link_.kind:
        case LinkKind.LIVE:
            return f"{run} live, {link_.behind} s behind" if link_.behind else f"{run} live"
        case LinkKind.POLLING:
            return f"{run} polling every {link_.poll_interval or 0:.0f} s (no websocket)"
        case LinkKind.BUSY:
            return f"{down} busy (loading?)"
        case LinkKind.DEAF:
            return f"{down} no messages, reconnecting"
        case LinkKind.OFFLINE:
            since = "" if link_.since is None else f" {now - link_.since:.0f} s"
            return f"{down} offline{since}{_next_try(link_.retry_at, now)}"
        case kind:
            return f"{down} {kind}"


def _next_try(at: float | None, now: float) -> str:
    if at is None:
        return ""
    return f", retry in {at - now:.0f} s" if round(at - now) > 0 else ", trying now"


def link_told(link_: Link, now: float) -> str:
    """The state of the link in a sentence or two: since when, and why."""
    if link_.behind:
        return (
            f"Live, but messages arrive {link_.behind} s late: the connection is too slow for them. "
            "Ended jobs are read over HTTP; new prompts ask for no previews until it keeps up."
        )
    since = "" if link_.since is None else f" for {duration(now - link_.since)}"
    told = f"{link(link_, now, ascii_only=True)[2:].capitalize()}{'' if 'offline' in link_.kind else since}."
    if link_.reason:
        return f"{told} {link_.reason}"
    return f"{told} Messages arrive over the websocket." if link_.kind is LinkKind.LIVE else told


def job_words(job: Job, run: Run | None) -> str:
    """Where a job stands: `running   Step 12/20 (60%)`, `queued`, `done`."""
    if run is None or run.prompt_id != job.prompt_id:
        return f"{status_of(job)}   {job.note}".rstrip()
    if not run.step:
        return f"{job.status.label}   {run.phase}"
    return f"{job.status.label}   Step {run.step}/{run.steps} ({100 * run.step // run.steps}%)"


def status_of(job: Job) -> str:
    """One word for where a job stands: `queued`, `done`, or `dismissed` of one that was lost before."""
    return "dismissed" if job.dismissed else job.status.label


def node_of(class_type: str, node_id: str) -> str:
    """`KSampler, node 3`, or as much of it as is known."""
    return ", ".join(filter(None, (class_type, f"node {node_id}" if node_id else "")))


def blunt_interrupt(capabilities: "Capabilities | None") -> str:
    """A warning before an interrupt, where the server stops whatever runs; empty where it stops what it is asked to."""
    if capabilities is None or capabilities.targeted_interrupt:
        return ""
    name = f"ComfyUI {sanitize(capabilities.version, 20)}" if capabilities.version else "This ComfyUI"
    return f"{name} is too old to interrupt a single job: it stops whatever runs at that moment."


def previews_told(capabilities: "Capabilities | None", *, on: bool) -> str:
    """What the switch of the previews does, on servers that cannot be asked for none as well."""
    if on:
        return "Previews on."
    if capabilities is None or capabilities.previews_by_prompt:
        return "Previews off: from the next batch on, the server sends none."
    return "Previews off here: this server is too old to stop sending them."


def ask_about_lost(lost: int, unsure: int, batches: int) -> str:
    """The question before lost jobs are resent, `unsure` of which may have finished; empty where none is needed."""
    if unsure:
        which = f"{unsure} of {_lost_jobs(lost)}" if unsure < lost else _lost_jobs(lost)
        them = ("it" if unsure == 1 else "them") + (", too" if unsure < lost else "")
        return f"{which} may have finished while comfytui was not connected. Resend {them}?"
    return f"Resend {lost_jobs_of(lost, batches)}?" if batches > 1 else ""


def answers_about_lost(lost: int, unsure: int) -> Mapping[str, str]:
    """What y, n and esc do with `lost` jobs, `unsure` of which may have finished; empty where yes and no say it."""
    if not 0 < unsure < lost:
        return {}
    others = lost - unsure
    return {"yes": f"all {lost}", "no": f"only the other {'one' if others == 1 else others}", "cancel": "nothing"}


def searched(lost: int, batches: int, found: int) -> str:
    """What a search for lost jobs came to, and where it looked."""
    where = f"Searched the server's history and output folder for {lost_jobs_of(lost, batches)}"
    rest = lost - found
    left = f"{rest} can be resent" if rest else "none is left to resend"
    return f"{where}: {found or 'none'} found, {left}."


def lost_jobs_of(count: int, batches: int) -> str:
    """`5 lost jobs of 2 batches`; of one batch alone it is not told."""
    return _lost_jobs(count) + (f" of {batches} batches" if batches > 1 else "")


def ask_about_batch(left: int, lost: int, risk: str) -> str:
    """The question before the `left` jobs of a batch are cancelled, the `lost` among them dismissed.

    `risk` is a warning to add.
    """
    if lost == left:
        return f"Dismiss {_lost_jobs(lost)} of this batch? {_they(lost)} cannot be resent then."
    what = f"the remaining {left} images" if left > 1 else "the remaining image"
    gone = f"{lost} of them {'is' if lost == 1 else 'are'} lost, and cannot be resent then." if lost else ""
    return " ".join(filter(None, (f"Cancel {what} of this batch?", gone, risk)))


def _lost_jobs(count: int) -> str:
    return f"{count} lost job{'' if count == 1 else 's'}"


def _they(count: int) -> str:
    return "It" if count == 1 else "They"
