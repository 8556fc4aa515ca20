"""Actions on the connection, and the dialogs that its changes require: login, and another server at the address."""

import time
from dataclasses import dataclass
from functools import partial

from textual.message import Message

from comfytui.presentation.status_text import UP, link_description
from comfytui.service.notifications import LoginRequired
from comfytui.session.model import LinkKind
from comfytui.ui.dashboard.context import DashboardContext
from comfytui.ui.screens.login import LoginScreen


@dataclass
class ServerNotFound(Message):
    """There is no ComfyUI at the address, or none that lets the user in."""

    reason: str


class ConnectionActions:
    """Follows the state of the connection and acts on it."""

    def __init__(self, context: DashboardContext) -> None:
        self._context = context
        self._login_asked = False
        """Whether a login was asked for since the user tried to connect."""
        self._login = 0
        """The number of the last login that was sent."""
        self._user = ""
        """The user name of the last login."""
        self._followed: LinkKind | None = None
        """The state of the connection when it was followed last."""
        self._was_up = False
        """Whether the server answered requests before it was connected to anew."""
        self._was_ever_up = False

    @property
    def is_up(self) -> bool:
        """Whether the server answers requests."""
        return self._context.state.link.kind in UP

    def follow(self) -> bool:
        """Notify the user of a change of the connection, or ask what to do, and remember a server that answers.

        Returns:
            Whether the server answers requests, and did not before; a reconnect in between does not count.
        """
        link, is_up = self._context.state.link, self.is_up
        before, self._followed = self._followed, link.kind
        is_back = is_up and not self._was_up
        if link.kind is not LinkKind.CONNECTING:
            self._was_up = is_up
        if is_back:
            self._context.options.remember_server(self._context.service.server.label)
        self._was_ever_up |= is_up
        self._login_asked &= not is_up
        if link.kind is before:
            return is_back
        if link.kind is LinkKind.OTHER_SERVER:
            self._ask_about_other_server(link.reason)
        elif before and self._was_ever_up and not is_up and link.reason:
            retry = "tries again" if link.kind is LinkKind.UNAUTHORISED else "reconnects now"
            self._context.notify(f"{link.reason} ctrl+r {retry}.", "warning")
        return is_back

    def _ask_about_other_server(self, reason: str) -> None:
        confirm = partial(self._confirm_other_server, reason)
        self._context.run(confirm, "other-server")

    async def _confirm_other_server(self, reason: str) -> None:
        question = f"{reason} Your jobs stay with the previous server. Switch to this one?"
        if await self._context.confirm(question):
            self._context.service.accept_server()

    def require_login(self, notification: LoginRequired) -> None:
        """Ask for a login, but only once until the user tries again, since each request reports that it needs one.

        A request that was made before the last login says nothing about that login.
        """
        if notification.login >= self._login and not self._login_asked:
            self._login_asked = True
            self._context.run(partial(self._ask_for_login, notification), "login")

    async def _ask_for_login(self, notification: LoginRequired) -> None:
        context = self._context
        server = context.service.server
        dialog = LoginScreen(notification, exposed=not (server.tls or server.loopback), user=self._user)
        login = await context.screen.app.push_screen_wait(dialog)
        self._user = dialog.user
        if login is not None:
            self._login_asked = False
            self._login = context.service.log_in(login)
        elif not self._was_ever_up:
            context.screen.post_message(ServerNotFound(notification.reason))
        else:
            context.notify("Not logged in: ctrl+r to log in.", "warning")

    def explain(self) -> None:
        """Show the state of the connection and its reason, and the address, which a server's name hides."""
        link = self._context.state.link
        if link.kind is LinkKind.OTHER_SERVER:
            self._ask_about_other_server(link.reason)
        else:
            text = link_description(link, time.monotonic())
            self._context.notify(f"{text} Address: {self._context.service.server.address}")

    def reconnect(self) -> None:
        """Reconnect now."""
        self._context.notify("Reconnecting.")
        self._login_asked = False
        self._context.service.reconnect()
