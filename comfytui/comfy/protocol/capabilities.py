"""What a server can do, by its version and by what it answered when asked."""

import re
from collections.abc import Set
from dataclasses import dataclass

TARGETED_INTERRUPT = (0, 3, 57)
"""The first version that interrupts the prompt it was asked to; older ones interrupt whatever runs."""
PREVIEWS_BY_PROMPT = (0, 5, 0)
"""The first version that heeds a prompt's own wish for previews."""
CLIENT_IDS = (0, 3, 45)
"""The first version that takes the client's prompt_id; older ones give an id of their own."""

ATOMIC_CANCEL = (0, 26, 0)
"""The first version that cancels a job in one step, wherever it stands."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """`version` is empty where the server does not tell; `jobs`: it lists jobs lightly, at `/api/jobs`."""

    version: str = ""
    jobs: bool = False
    targeted_interrupt: bool = False
    atomic_cancel: bool = False
    own_prompt_ids: bool = False
    previews_by_prompt: bool = False
    metadata_previews: bool = False


def capabilities_of(version: str, features: Set[str], *, jobs: bool) -> Capabilities:
    """What a server of this version can do that says of itself that it has these features."""
    number = version_number(version)
    return Capabilities(
        version=version,
        jobs=jobs,
        targeted_interrupt=jobs or number >= TARGETED_INTERRUPT,
        # Where the version is not told it is worth a try: a server without it says so.
        atomic_cancel=jobs and (not number or number >= ATOMIC_CANCEL),
        own_prompt_ids=jobs or number >= CLIENT_IDS,
        previews_by_prompt=jobs or number >= PREVIEWS_BY_PROMPT,
        metadata_previews="supports_preview_metadata" in features,
    )


def version_number(version: str) -> tuple[int, ...]:
    """`0.3.57` as numbers; empty, so older than all, for what is no version."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()
