"""The event that the connection to ComfyUI has changed."""

from typing import Literal

from comfytui.headless.documents.events import link_name
from comfytui.headless.documents.jobs import VERSION, Document, limited
from comfytui.session.state import SessionState


class LinkEvent(Document, frozen=True, kw_only=True):
    """The connection to ComfyUI has another state than before."""

    version: int = VERSION
    event: Literal["link"] = "link"
    link: str
    """`live`, `polling` (no steps are known), `offline`, ..."""
    reason: str
    """Why it is in this state; empty if there is nothing to say."""


def link_event(state: SessionState) -> LinkEvent:
    """Return the event about the present state of the connection."""
    return LinkEvent(link=link_name(state), reason=limited(state.link.reason))
