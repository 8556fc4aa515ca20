"""Which jobs the history is to be asked about."""

from comfytui.session.jobs import indexed
from comfytui.session.state import SessionState


def unsettled(state: SessionState) -> tuple[str, ...]:
    """The prompt_ids of jobs, anybody's, that the queue no longer has and whose end is not known."""
    return indexed(state.jobs).unsettled
