"""What can go wrong with a server; every message says in one sentence what happened and what to do next.

ComfyError
├── Unreachable      no connection: refused, an unknown name, no route
├── TimedOut         connected, but no answer in time: busy, or a broken link
├── Unauthorized     401, 403, or a redirect to a login
├── Rejected         the server understood a prompt and refused it
├── ServerError      any other status that is no success, or an answer cut short or endless
├── UpgradeRefused   an answer to the websocket's handshake, but no websocket
└── NotComfyUI       something else answers there
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from comfytui.comfy.protocol.models import NodeError


class ComfyError(Exception):
    """Anything that a server or the way to it does wrong; the message may be shown, and holds no secret."""


class Unreachable(ComfyError):
    """There is no connection, so nothing that was asked can have happened; only `refused` says that no server runs."""

    def __init__(self, message: str, kind: Literal["refused", "dns", "other"] = "other") -> None:
        super().__init__(message)
        self.kind = kind


class TimedOut(ComfyError):
    """No answer came in time; what was asked may have happened."""


class Unauthorized(ComfyError):
    """The server, or a proxy before it, asks for a login; `status` is 401 where user and password would do."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Rejected(ComfyError):
    """The server refused a prompt; `node_errors` says where it is wrong."""

    def __init__(self, message: str, node_errors: tuple["NodeError", ...] = ()) -> None:
        super().__init__(message)
        self.node_errors = node_errors


class ServerError(ComfyError):
    """The server failed; what was asked may have happened. `status` is None where no whole answer came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class UpgradeRefused(ComfyError):
    """The handshake of a websocket was answered as a plain request: HTTP may work all the same."""


class NotComfyUI(ComfyError):
    """What answers there is no ComfyUI."""
