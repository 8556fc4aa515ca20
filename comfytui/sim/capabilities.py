"""What each ComfyUI version supports, as far as a client can see."""

import re
from dataclasses import dataclass
from functools import lru_cache

Version = tuple[int, ...]


class BadVersionError(ValueError):
    """A version string that is not of the form 0.3.57."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The differences between versions; each docstring names the first version that has the capability."""

    feature_flags: bool
    """0.3.45: `feature_flags` frames, `/features`, and previews of type 4."""
    progress_state: bool
    """0.3.45: `progress_state` frames; before, `progress` carried the node of the last `executing` frame."""
    client_prompt_ids: bool
    """0.3.45: a client may choose its prompt's id; before, the server always generated one."""
    targeted_interrupt: bool
    """0.3.57: `/interrupt` honours a `prompt_id`; before, it stopped whatever was running."""
    history_offset: bool
    """0.3.60: `/history?offset=`."""
    hides_secrets: bool
    """0.3.68: API keys are removed from `/queue` and `/history`."""
    create_time: bool
    """0.3.69: `extra_data.create_time`."""
    previews_by_prompt: bool
    """0.5.0: a prompt may choose its preview method."""
    jobs: bool
    """0.6.0: `/api/jobs` and `/api/jobs/<id>`."""
    refuses_cross_site: bool
    """0.19: a cross-site fetch gets a 403."""
    checks_prompt_ids: bool
    """0.25: a `prompt_id` that is not a canonical UUID gets a 400."""
    atomic_cancel: bool
    """0.26: `/api/jobs/<id>/cancel` and `/api/jobs/cancel`."""
    queued_graphs: bool
    """0.46 at the latest, and not 0.33: `/api/jobs/<id>` has the graph of a job that has not ended, too."""


@lru_cache
def capabilities_of(version: str) -> Capabilities:
    """Return the capabilities of a version.

    Raises:
        BadVersionError: If `version` is not of the form 0.3.57.
    """
    number = _parsed(version)
    return Capabilities(
        feature_flags=number >= (0, 3, 45),
        progress_state=number >= (0, 3, 45),
        client_prompt_ids=number >= (0, 3, 45),
        targeted_interrupt=number >= (0, 3, 57),
        history_offset=number >= (0, 3, 60),
        hides_secrets=number >= (0, 3, 68),
        create_time=number >= (0, 3, 69),
        previews_by_prompt=number >= (0, 5),
        jobs=number >= (0, 6),
        refuses_cross_site=number >= (0, 19),
        checks_prompt_ids=number >= (0, 25),
        atomic_cancel=number >= (0, 26),
        queued_graphs=number >= (0, 46),
    )


def _parsed(version: str) -> Version:
    if re.fullmatch(r"\d+(\.\d+){1,3}", version) is None:
        raise BadVersionError(f"'{version}' is no version: write it as in 0.3.57.")
    return tuple(int(part) for part in version.split("."))
