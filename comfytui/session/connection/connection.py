"""All that is known of the connection to one server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from comfytui.session.connection.identity import IdentityGate
from comfytui.session.connection.polls import PollSchedule
from comfytui.session.connection.sockets import Socket, SocketStatus
from comfytui.session.connection.watchdog import Watchdog
from comfytui.session.model import Link
from comfytui.timings import DEFAULT, Timings


@dataclass(frozen=True, slots=True)
class Connection:
    """All that is known of the connection to one server; times are monotonic seconds."""

    link: Link = field(default_factory=Link)
    sockets: Mapping[str, Socket] = field(default_factory=lambda: MappingProxyType({}))
    """The socket of each client id; the `status` frames of the first one are compared with the polls."""
    gate: IdentityGate = field(default_factory=IdentityGate)
    polls: PollSchedule = field(default_factory=PollSchedule)
    watchdog: Watchdog = field(default_factory=Watchdog)
    was_tried: bool = False
    """Whether the first attempt to connect ended, so that later failures are not reported."""
    was_open: bool = False
    """Whether a socket was ever open."""
    reports_failed_polls: bool = False
    """Whether a poll that fails may be the end of the first attempt."""
    timings: Timings = DEFAULT

    @property
    def wake_at(self) -> float | None:
        """When to step with `TimerDue`; None: not before something else happens."""
        times = [each.retry_at for each in self.sockets.values() if each.status is SocketStatus.CLOSED]
        times += [self.polls.wake_at, self.watchdog.wake_at]
        return min((time for time in times if time is not None), default=None)

    @property
    def is_guarded(self) -> bool:
        """Whether a socket is open, whose end would reveal that another server took the place of this one."""
        is_open = any(each.status is SocketStatus.OPEN for each in self.sockets.values())
        return is_open and self.link.socket_open

    @property
    def has_verified_socket(self) -> bool:
        """Whether the server's identity is verified, and was so after a socket that is open."""
        is_open = any(each.status is SocketStatus.OPEN and self.counts(key) for key, each in self.sockets.items())
        return is_open and self.gate.is_verified

    def counts(self, client_id: str) -> bool:
        """Return whether the frames of this client id's socket count: the server was verified after it opened."""
        socket = self.sockets.get(client_id)
        return socket is not None and socket.number <= self.gate.sockets_verified

    def reports_queue(self, client_id: str) -> bool:
        """Return whether the `status` frames of this socket are counted: each socket of ours gets the same ones."""
        return client_id == next(iter(self.sockets), None)
