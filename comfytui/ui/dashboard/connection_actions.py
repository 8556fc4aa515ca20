"""What the link does, and what keys do to it."""

import time
from dataclasses import dataclass

from textual import work
from textual.message import Message

from comfytui.presentation import formatting
from comfytui.service.notifications import LoginRequired
from comfytui.session.model import Link, LinkKind
from comfytui.ui.dashboard.context import ActingScreen
from comfytui.ui.screens.confirm import ConfirmScreen
from comfytui.ui.screens.login import LoginScreen

UP = frozenset({LinkKind.LIVE, LinkKind.POLLING})
"""States of the link in which the server answers questions."""


@dataclass
class ServerNotFound(Message):
    """There is no ComfyUI at the address that was given, or none that lets us in."""

    reason: str


class LinkActions(ActingScreen):
    """The part of the dashboard that follows the link."""

    _login_asked = False
    _login = 0  # the number of the last one that was given
    _user = ""
    """The name of the user that the last login was tried with."""
    _was_up = _ever_up = False

    def _follow_link(self, before: Link | None, link: Link) -> bool:
        """Tell what became of the link since it was painted `before`; whether the server answers, and did not then."""
        is_up = link.kind in UP
        is_back = is_up and not self._was_up
        self._was_up = is_up
        self._ever_up |= is_up
        self._login_asked &= not is_up
        if before and link.kind is before.kind:
            return is_back
        if link.kind is LinkKind.OTHER_BOX:
            self._ask_about_box(link.reason)
        elif before and self._ever_up and not is_up and link.reason:
            again = "tries again" if link.kind is LinkKind.UNAUTHORISED else "reconnects now"
            self._say(f"{link.reason} ctrl+r {again}.", "warning")
        return is_back

    @work(exclusive=True, group="box")
    async def _ask_about_box(self, reason: str) -> None:
        question = f"{reason} Your jobs stay with the previous server. Switch to this one?"
        if await self.app.push_screen_wait(ConfirmScreen(question)):
            self._service.accept_server()

    def _require_login(self, notice: LoginRequired) -> None:
        """Ask for a login, once until the user tries again: each way to the server says that it needs one.

        A refusal of a request that was made before the last login says nothing of that one.
        """
        if notice.login >= self._login and not self._login_asked:
            self._login_asked = True
            self._ask_for_login(notice)

    @work(exclusive=True, group="login")
    async def _ask_for_login(self, notice: LoginRequired) -> None:
        server = self._service.server
        dialog = LoginScreen(notice, exposed=not (server.tls or server.loopback), user=self._user)
        login = await self.app.push_screen_wait(dialog)
        self._user = dialog.user
        if login is not None:
            self._login_asked = False
            self._login = self._service.log_in(login)
        elif not self._ever_up:
            self.post_message(ServerNotFound(notice.reason))
        else:
            self._say("Not logged in: ctrl+r to log in.", "warning")

    def action_link(self) -> None:
        """Show how the server is reached, why, and where: a name hides its address."""
        if self._state.link.kind is LinkKind.OTHER_BOX:
            self._ask_about_box(self._state.link.reason)
        else:
            told = formatting.link_told(self._state.link, time.monotonic())
            self._say(f"{told} Address: {self._service.server.address}")

    def action_reconnect(self) -> None:
        """Try the link again now."""
        self._say("Reconnecting.")
        self._login_asked = False
        self._service.reconnect()
