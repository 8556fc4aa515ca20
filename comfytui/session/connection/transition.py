"""One step of a connection under way."""

from dataclasses import replace
from types import MappingProxyType
from typing import Any, assert_never

from comfytui.session.connection.connection import Connection
from comfytui.session.connection.effects import (
    AskForLogin,
    CloseSocket,
    DropFrames,
    Effect,
    EndSocket,
    NotifyNotReached,
    OpenSocket,
)
from comfytui.session.connection.inputs import ErrorKind, RequestError
from comfytui.session.connection.link import reduce_link
from comfytui.session.connection.link_events import Lagging, LinkChanged, LinkEvent
from comfytui.session.connection.sockets import NEVER_VERIFIED, Socket, SocketStatus
from comfytui.session.model import Link


class Transition:
    """The connection as changed so far in a step, and the effects so far.

    Args:
        connection: The connection before the step.
        now: The monotonic second.
    """

    def __init__(self, connection: Connection, now: float) -> None:
        self.connection = connection
        self.effects: list[Effect] = []
        self.now = now

    @property
    def link(self) -> Link:
        """State of the link so far."""
        return self.connection.link

    def set(self, **changes: Any) -> None:
        """Change parts of the connection."""
        self.connection = replace(self.connection, **changes)

    def set_socket(self, client_id: str, socket: Socket) -> None:
        """Replace the socket of a client id."""
        self.set(sockets=MappingProxyType({**self.connection.sockets, client_id: socket}))

    def change_link(self, event: LinkEvent) -> None:
        """Let an event change the link, and report it."""
        link = reduce_link(self.link, event, self.now, self.connection.timings.session.late_after)
        self.set(link=link)
        self.effects.append(LinkChanged(link, event))

    def report_lag(self) -> None:
        """Let the link show how late frames are, those of the socket that is furthest behind."""
        lags = (socket.lag_seconds for socket in self.connection.sockets.values())
        self.change_link(Lagging(max(lags, default=0.0)))

    def break_gate(self) -> None:
        """Require a new verification of the server."""
        self.set(gate=self.connection.gate.broken())

    def request_poll(self, *, history: bool = False) -> None:
        """Have a poll begin as soon as it may."""
        self.set(polls=self.connection.polls.request(history=history))

    def open_socket(self, client_id: str, failures: int = 0) -> None:
        """Open a socket of a client id that has none, after so many failures in a row."""
        self.set_socket(client_id, Socket(SocketStatus.OPENING, failures=failures))
        self.effects.append(OpenSocket(client_id))

    def close_socket(self, client_id: str, status: SocketStatus) -> None:
        """Close a socket, which has this status meanwhile; if it was never verified, its frames never count."""
        socket = self.connection.sockets[client_id]
        if not self.connection.counts(client_id):
            socket = replace(socket, number=NEVER_VERIFIED)
            self.effects.append(DropFrames(client_id))
        self.set_socket(client_id, replace(socket, status=status))
        self.effects.append(CloseSocket(client_id))

    def end_socket(self, client_id: str) -> None:
        """Forget a socket that is closed."""
        sockets = {key: socket for key, socket in self.connection.sockets.items() if key != client_id}
        self.set(sockets=MappingProxyType(sockets), watchdog=self.connection.watchdog.without(client_id))
        self.effects.append(EndSocket(client_id))

    def renew_sockets(self) -> None:
        """Open all sockets anew, those that are open too."""
        for client_id, socket in self.connection.sockets.items():
            match socket.status:
                case SocketStatus.CLOSED:
                    self.open_socket(client_id)
                case SocketStatus.OPENING | SocketStatus.OPEN:
                    self.close_socket(client_id, SocketStatus.CLOSING)
                case SocketStatus.CLOSING | SocketStatus.ENDING:
                    pass
                case _:
                    assert_never(socket.status)

    def report_not_reached(self, error: RequestError) -> None:
        """Tell the user why the first attempt failed, if this was part of it."""
        if not self.connection.was_tried:
            self.set(was_tried=True)
            self.effects.append(NotifyNotReached(error.reason))

    def ask_for_login(self, error: RequestError) -> None:
        """Ask the user for other credentials if they would help."""
        if error.kind is ErrorKind.LOGIN_REQUIRED:
            self.effects.append(AskForLogin(error.reason))
