"""Compose the text that is printed on exit: which jobs go on, and how to come back to them."""

import shlex
from collections.abc import Sequence

from comfytui.sanitize import sanitize
from comfytui.session.selectors import open_jobs, unsent_jobs
from comfytui.session.state import SessionState


def farewell(state: SessionState, server: str, command: Sequence[str], *, durable: bool) -> str:
    """Return one line about my jobs that have not ended; empty where there are none.

    Args:
        state: The state of the session on exit.
        server: The server's name or address, without its secrets.
        command: The command that opens a server, without the server; empty where the server ends with the program.
        durable: Whether unsent jobs are saved: the next start sends them.
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
    if unsent and durable:
        parts.append(f"{unsent} not sent yet: the next start sends {'them' if unsent > 1 else 'it'}.")
    elif unsent:
        parts.append(f"{unsent} not sent, and dropped.")
    return " ".join([*parts, f"Come back with: {sanitize(shlex.join([*command, server]), 1000)}"])


def _jobs(count: int) -> str:
    return f"{count} jobs" if count > 1 else "1 job"
