"""What a user decides about a relay: where it listens, who gets in, and how many may follow it at once."""

from dataclasses import dataclass, field

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
        ValueError: It would let in more than the options say; the text is one sentence.
    """
    if options != RelayOptions(port=options.port, clients=options.clients):
        raise ValueError("This relay checks neither tokens nor origins: it listens on 127.0.0.1 only.")
