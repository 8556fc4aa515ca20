"""The login dialog, for servers that require credentials."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from comfytui.comfy.address import BadServer
from comfytui.comfy.server import basic_auth, validated_header
from comfytui.sanitize import sanitize
from comfytui.service.notifications import LoginRequired
from comfytui.ui.widgets.text import Line

FIELDS = {"user": "User", "password": "Password", "token": "or token"}
LOGIN_REQUIRED = "The server asks for a login (401)."
LOGIN_REFUSED = "The server refused this login (401): try again."
STORAGE_NOTE = "Kept only until comfytui ends, never on disk."
UNENCRYPTED = "The connection is not encrypted (http): others on the network can read it."


def authorization(user: str, password: str, token: str) -> str:
    """Return the value of an Authorization header: Basic for user and password, Bearer for a token.

    Raises:
        BadServer: Nothing, too much, or something that no header can carry was given; the message says which.
    """
    user, token = user.strip(), token.strip()
    if token and not user and not password:
        return validated_header("Authorization", f"Bearer {token}")[1]
    if token:
        raise BadServer("Enter a user and password, or a token, but not both.")
    if not user:
        raise BadServer("Enter a user and password, or a token.")
    if ":" in user:
        raise BadServer("A user name cannot contain a colon.")
    return basic_auth(f"{user}:{password}")


class LoginScreen(ModalScreen[str | None]):
    """Asks for credentials and returns the value of an Authorization header, or None if the user cancels.

    Args:
        notification: The server's demand for a login.
        exposed: Whether the connection is not encrypted and leaves this machine.
        user: The user name to begin with.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        # Not bound to the field's Submitted message: keys typed ahead of it would still go to the field before.
        Binding("enter", "submit", "Log in", priority=True, id="login-submit"),
        Binding("escape", "dismiss(None)", "Cancel", id="login-cancel"),
        Binding("down", "app.focus_next", show=False, id="login-next"),
        Binding("up", "app.focus_previous", show=False, id="login-previous"),
    ]

    def __init__(self, notification: LoginRequired, *, exposed: bool, user: str = "") -> None:
        super().__init__()
        self.user = user
        """The user name that was submitted last."""
        self._server = sanitize(notification.server, 60)
        self._refused = notification.refused
        self._exposed = exposed

    def compose(self) -> ComposeResult:
        """Compose the demand, the fields, their error and the keys."""
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = Text(f"Log in to {self._server}")
            yield Line(LOGIN_REFUSED if self._refused else LOGIN_REQUIRED, id="login-question")
            for name, label in FIELDS.items():
                with Horizontal(classes="row"):
                    yield Line(label, classes="label")
                    value = self.user if name == "user" else ""
                    yield Input(value, id=f"login-{name}", password=name != "user", compact=True)
            yield Line(id="login-error", classes="error")
            yield Line(f"{STORAGE_NOTE} {UNENCRYPTED if self._exposed else ''}".rstrip(), classes="help")
            yield Line("enter log in   tab next field   esc cancel", classes="help")

    def on_mount(self) -> None:
        """Focus the first empty field. Cursors do not blink, which would cost bytes on a slow connection."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#login-password" if self.user else "#login-user").focus()

    def action_submit(self) -> None:
        """Go on from the user to the password field, and from there log in."""
        user, password, token = (self.query_one(f"#login-{name}", Input) for name in FIELDS)
        if self.focused is user and user.value and not password.value and not token.value:
            password.focus()
            return
        try:
            self.user = user.value
            login = authorization(user.value, password.value, token.value)
        except BadServer as error:
            message = self.query_one("#login-error", Line)
            message.set_text(f"! {error}")
            message.add_class("-shown")
        else:
            self.dismiss(login)
