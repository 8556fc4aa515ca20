"""Prompts that were sent and whose answer is lost: what is known of each, and whether its picture is there."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType

from comfytui.comfy.client import ComfyClient
from comfytui.comfy.errors import ComfyError
from comfytui.service.journal.saved import SavedPrompt
from comfytui.service.lost import found
from comfytui.service.orders import Parcel
from comfytui.service.process_evidence import Evidence
from comfytui.session.events import Past

SEARCH_SECONDS = 30.0
"""Seconds that the picture of a prompt is looked for while others wait to be sent; `r` looks without haste."""


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A POST whose answer is lost: sent at monotonic second `since`, to a server that held this `evidence`."""

    since: float
    evidence: Evidence


NONE_UNCONFIRMED: Mapping[str, Unconfirmed] = MappingProxyType({})


def unconfirmed_of(prompt: SavedPrompt) -> Unconfirmed | None:
    """What the journal knows of a POST that has no answer; None where there is none."""
    if prompt.sending_since is None:
        return None
    # A clock that was set back meanwhile is no reason to look for it for ever.
    ago = max(time.time() - prompt.sending_since, 0.0)
    return Unconfirmed(time.monotonic() - ago, prompt.witnesses)


async def picture_of(parcel: Parcel, client: ComfyClient) -> tuple[Past, ...]:
    """The prompt as ended if the server has its pictures; nothing where it has not, or they cannot be looked for."""
    with suppress(ComfyError, TimeoutError):
        async with asyncio.timeout(SEARCH_SECONDS):
            return await found([parcel], client)
    return ()
