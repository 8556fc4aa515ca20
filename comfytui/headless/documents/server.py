"""The snapshot of the server: the connection to it, its machine, and what it can do."""

from comfytui.comfy.protocol.capabilities import Capabilities
from comfytui.comfy.server import Server
from comfytui.headless.documents.events import link_name
from comfytui.headless.documents.jobs import VERSION, Document, limited
from comfytui.session.state import SessionState


class LinkSnapshot(Document, frozen=True, kw_only=True):
    """The connection to ComfyUI."""

    state: str
    since_seconds: float | None
    retry_in_seconds: float | None
    """When the websocket is tried again; null if it is not."""
    reason: str
    """Why the connection is in this state; empty if there is nothing to say."""
    lag_seconds: int
    """By how much messages are late."""
    poll_interval_seconds: float | None
    """Null unless it is polling."""
    current: bool
    """Whether the queue was read since ComfyUI answers."""


class DeviceSnapshot(Document, frozen=True, kw_only=True):
    """An accelerator of the server's machine, with bytes of memory."""

    name: str
    type: str
    vram_total: int
    vram_free: int


class CapabilitiesSnapshot(Document, frozen=True, kw_only=True):
    """What the server can do."""

    cancel: bool
    previews: bool
    jobs: bool
    """Whether it has a list of jobs without their graphs."""
    targeted_interrupt: bool
    atomic_cancel: bool
    previews_by_prompt: bool


class ServerSnapshot(Document, frozen=True, kw_only=True):
    """The ComfyUI server and its machine; null and empty where it has not told yet."""

    version: int = VERSION
    name: str
    """The user's name for it, else its address."""
    address: str
    link: LinkSnapshot
    comfyui_version: str | None
    os: str | None
    devices: tuple[DeviceSnapshot, ...]
    ram_total: int | None
    """In bytes."""
    ram_free: int | None
    queue_length: int
    capabilities: CapabilitiesSnapshot | None


def server_snapshot(state: SessionState, server: Server, now: float) -> ServerSnapshot:
    """Return what is known of the server at monotonic second `now`; no credentials."""
    stats, capabilities = state.stats, state.capabilities
    version = (stats.version if stats else "") or (capabilities.version if capabilities else "")
    return ServerSnapshot(
        name=server.label,
        address=server.address,
        link=_link(state, now),
        comfyui_version=version or None,
        os=stats.os or None if stats else None,
        devices=tuple(
            DeviceSnapshot(name=each.name, type=each.type, vram_total=each.vram_total, vram_free=each.vram_free)
            for each in (stats.devices if stats else ())
        ),
        ram_total=stats.ram_total if stats else None,
        ram_free=stats.ram_free if stats else None,
        queue_length=state.queue_remaining,
        capabilities=_capabilities(capabilities) if capabilities else None,
    )


def _link(state: SessionState, now: float) -> LinkSnapshot:
    link = state.link
    return LinkSnapshot(
        state=link_name(state),
        since_seconds=None if link.since is None else round(max(now - link.since, 0.0), 1),
        retry_in_seconds=None if link.retry_at is None else round(max(link.retry_at - now, 0.0), 1),
        reason=limited(link.reason),
        lag_seconds=link.lag_seconds,
        poll_interval_seconds=link.poll_interval,
        current=state.unobserved_since is None,
    )


def _capabilities(known: Capabilities) -> CapabilitiesSnapshot:
    return CapabilitiesSnapshot(
        cancel=known.cancel,
        previews=known.previews,
        jobs=known.jobs,
        targeted_interrupt=known.targeted_interrupt,
        atomic_cancel=known.atomic_cancel,
        previews_by_prompt=known.previews_by_prompt,
    )
