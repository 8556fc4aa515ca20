"""What is printed when the screen is gone: which jobs go on, and how to come back to them."""

import shlex
from collections.abc import Sequence

from comfytui.sanitize import sanitize
from comfytui.session.selectors import open_jobs, unsent_jobs
from comfytui.session.state import SessionState


def farewell(state: SessionState, server: str, command: Sequence[str], *, kept: bool) -> str:
    """One line about my jobs that are still to end; empty where there are none.

    Args:
        state: What is known at the end.
        server: The server's name or address, without its secrets.
        command: The words that open a server, before its name; empty where the server ends with the program.
        kept: Whether the next start sends what is not sent yet.
    """
    unsent = unsent_jobs(state)
    sent = open_jobs(state) - unsent
    if not command or not sent + unsent:
        return ""
    parts = []
    if sent and state.link.kind.away:
        parts.append(f"{_jobs(sent)} went on at {server} when it was last seen.")
    elif sent:
        parts.append(f"{_jobs(sent)} {'go' if sent > 1 else 'goes'} on at {server}.")
    if unsent and kept:
        parts.append(f"{unsent} not sent yet: the next start sends {'them' if unsent > 1 else 'it'}.")
    elif unsent:
        parts.append(f"{unsent} not sent, and dropped.")
    return " ".join([*parts, f"Come back with: {sanitize(shlex.join([*command, server]), 1000)}"])


def _jobs(count: int) -> str:
    return f"{count} jobs" if count > 1 else "1 job"
