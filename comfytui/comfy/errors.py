"""Errors of the client; each message says in one sentence what happened and what to do next.

ComfyError
├── Unreachable      no connection: refused, unknown host, no route
├── TimedOut         connected, but no response in time: busy, or a broken connection
├── Unauthorized     401, 403, or a redirect to a login
├── PromptRefused    the server validated a prompt and refused it
├── ServerError      any other status of failure, or a response that is cut off
│   └── TooLarge     a response that is larger than what is read
├── UpgradeRefused   a response to the websocket handshake, but no websocket
└── NotComfyUI       something else answers there
"""

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from comfytui.comfy.protocol.models import NodeError


class ComfyError(Exception):
    """Base of all errors of a server or of the connection to it; messages can be displayed, and hold no secrets."""


class Unreachable(ComfyError):
    """There is no connection, so the request had no effect.

    `kind` is `refused` if nothing listens at the address: only then is it certain that no server runs there.
    """

    def __init__(self, message: str, kind: Literal["refused", "dns", "other"] = "other") -> None:
        super().__init__(message)
        self.kind = kind


class TimedOut(ComfyError):
    """No response came in time; the request may have taken effect."""


class Unauthorized(ComfyError):
    """The server, or a proxy in front of it, requires a login; `status` is 401 if user and password may do."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class PromptRefused(ComfyError):
    """The server refused a prompt; `node_errors` are its validation errors."""

    def __init__(self, message: str, node_errors: tuple["NodeError", ...] = ()) -> None:
        super().__init__(message)
        self.node_errors = node_errors


class ServerError(ComfyError):
    """The server failed; the request may have taken effect. `status` is None if no complete response came."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TooLarge(ServerError):
    """The server sent more than is read; the request took effect."""


class UpgradeRefused(ComfyError):
    """The websocket handshake was refused; HTTP may work all the same."""


class NotComfyUI(ComfyError):
    """Something other than ComfyUI answered."""
