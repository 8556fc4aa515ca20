"""The events that are not of how far jobs are: a batch was submitted, a preview came, the connection changed."""

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


class PreviewEvent(Document, frozen=True, kw_only=True):
    """The newest preview of the image that runs, for a client that asks for previews."""

    version: int = VERSION
    event: Literal["preview"] = "preview"
    prompt_id: str
    media_type: str
    """`image/jpeg` or `image/png`."""
    data: bytes
    """In base64."""


class SubmittedEvent(Document, frozen=True, kw_only=True):
    """The server has accepted a batch: the first event that `comfytui run` writes."""

    version: int = VERSION
    event: Literal["submitted"] = "submitted"
    batch_id: str
    prompt_ids: tuple[str, ...]
    """The jobs, in image order; those that the server rejected are among them."""
    seeds: tuple[int | None, ...]
    """The seed of each image."""


def link_event(state: SessionState) -> LinkEvent:
    """Return the event about the present state of the connection."""
    return LinkEvent(link=link_name(state), reason=limited(state.link.reason))
