"""The question for a login, when the server asks for one."""

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
ASKED = "The server asks for a login (401)."
REFUSED = "The server refused this login (401): try again."
HELP = "Kept only until comfytui ends, never on disk."
EXPOSED = "The connection is not encrypted (http): others on the network can read it."


def authorization(user: str, password: str, token: str) -> str:
    """The value of an Authorization header.

    Raises:
        BadServer: Nothing, too much, or something that no header can carry was given; the message says so.
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
    """Answers the value of an Authorization header, or None where the user has none to give."""

    BINDINGS: ClassVar[list[BindingType]] = [
        # Not when the field has told of it: keys that are typed ahead would still go to the field before.
        Binding("enter", "submit", "Log in", priority=True, id="login-submit"),
        Binding("escape", "dismiss(None)", "Cancel", id="login-cancel"),
        Binding("down", "app.focus_next", show=False, id="login-next"),
        Binding("up", "app.focus_previous", show=False, id="login-previous"),
    ]

    def __init__(self, notice: LoginRequired, *, exposed: bool, user: str = "") -> None:
        super().__init__()
        self.user = user
        """The name of the user, as it was typed last."""
        self._server = sanitize(notice.server, 60)
        self._refused = notice.refused
        self._exposed = exposed

    def compose(self) -> ComposeResult:
        """Who asks, the fields, what is wrong with them, the keys."""
        with Vertical(classes="dialog") as box:
            box.border_title = Text(f"Log in to {self._server}")
            yield Line(REFUSED if self._refused else ASKED, id="login-question")
            for name, label in FIELDS.items():
                with Horizontal(classes="row"):
                    yield Line(label, classes="label")
                    value = self.user if name == "user" else ""
                    yield Input(value, id=f"login-{name}", password=name != "user", compact=True)
            yield Line(id="login-error", classes="error")
            yield Line(f"{HELP} {EXPOSED if self._exposed else ''}".rstrip(), classes="help")
            yield Line("enter log in   tab next field   esc cancel", classes="help")

    def on_mount(self) -> None:
        """Begin with the first empty field. A blinking cursor would cost bytes for nothing."""
        for field in self.query(Input):
            field.cursor_blink = False
        self.query_one("#login-password" if self.user else "#login-user").focus()

    def action_submit(self) -> None:
        """Go on from the user to the password, and from there log in."""
        user, password, token = (self.query_one(f"#login-{name}", Input) for name in FIELDS)
        if self.focused is user and user.value and not password.value and not token.value:
            password.focus()
            return
        try:
            self.user = user.value
            login = authorization(user.value, password.value, token.value)
        except BadServer as error:
            sentence = self.query_one("#login-error", Line)
            sentence.set_text(f"! {error}")
            sentence.add_class("-shown")
        else:
            self.dismiss(login)
