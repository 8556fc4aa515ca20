"""What a user decides about a relay: where it listens, who gets in, and how many may follow it at once."""

from dataclasses import dataclass, field

from comfytui.headless.relay.hosts import is_loopback, is_origin
from comfytui.sanitize import sanitize

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8189
DEFAULT_CLIENTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayOptions:
    """The options of a relay."""

    host: str = DEFAULT_HOST
    """The address that it listens on."""
    port: int = DEFAULT_PORT
    """0 picks a free one."""
    clients: int = DEFAULT_CLIENTS
    """How many clients may follow events at once."""
    token: str | None = field(default=None, repr=False)
    """What a client has to show; None lets everybody in."""
    allowed_origins: tuple[str, ...] = ()
    """Origins whose pages may read the answers."""


def check_options(options: RelayOptions) -> None:
    """Check that a relay may be started.

    Raises:
        ValueError: It would let everybody in, or an option is not what it must be; the text is one sentence.
    """
    if not options.token and not is_loopback(options.host):
        raise ValueError(
            "A relay that listens on an address other than 127.0.0.1 needs a token (--token-env or --token-command)."
        )
    if options.clients < 1:
        raise ValueError("A relay needs to let in at least one client.")
    for origin in options.allowed_origins:
        if not is_origin(origin):
            raise ValueError(f"{sanitize(origin, 200)} is not an origin such as https://example.org.")
