"""What a server can do; for a ComfyUI derived from its version, and from whether it has a list of jobs."""

import re
from dataclasses import dataclass

TARGETED_INTERRUPT = (0, 3, 57)
"""First version whose `/interrupt` takes a prompt id; older ones interrupt whatever runs."""
PREVIEWS_BY_PROMPT = (0, 5, 0)
"""First version that respects the `preview_method` of a prompt."""
ATOMIC_CANCEL = (0, 26, 0)
"""First version that cancels a job in one call, whether it runs or waits."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one server can do."""

    version: str = ""
    """ComfyUI's version; empty if the server does not report it."""
    cancel: bool = True
    """Whether a job that the server has can be cancelled."""
    previews: bool = True
    """Whether the server sends previews of what runs."""
    jobs: bool = False
    """Whether the server has `/api/jobs`, a list of jobs without their graphs."""
    targeted_interrupt: bool = False
    atomic_cancel: bool = False
    previews_by_prompt: bool = False


def capabilities_of(version: str, *, jobs: bool) -> Capabilities:
    """Return what a ComfyUI can do: cancel jobs and send previews always.

    Args:
        version: ComfyUI's version; empty if unknown.
        jobs: Whether the server has `/api/jobs`.
    """
    number = version_number(version)
    return Capabilities(
        version=version,
        jobs=jobs,
        targeted_interrupt=jobs or number >= TARGETED_INTERRUPT,
        # Worth a try if the version is unknown: a server without it answers with a 404.
        atomic_cancel=jobs and (not number or number >= ATOMIC_CANCEL),
        previews_by_prompt=jobs or number >= PREVIEWS_BY_PROMPT,
    )


def version_number(version: str) -> tuple[int, ...]:
    """Return `0.3.57` as numbers; empty, and so less than any version, if it is not one."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()
