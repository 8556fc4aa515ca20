"""The errors of requests as the connection knows them."""

from http import HTTPStatus

from comfytui.comfy.errors import ComfyError, NotComfyUI, TimedOut, Unauthorized, Unreachable, UpgradeRefused
from comfytui.session.connection.inputs import ErrorKind, RequestError

_KINDS = {
    Unreachable: ErrorKind.UNREACHABLE,
    TimedOut: ErrorKind.TIMED_OUT,
    Unauthorized: ErrorKind.FORBIDDEN,
    UpgradeRefused: ErrorKind.UPGRADE_REFUSED,
    NotComfyUI: ErrorKind.NOT_COMFYUI,
}


def request_error(error: ComfyError) -> RequestError:
    """Return why a request failed, or a socket could not be opened."""
    wants_login = isinstance(error, Unauthorized) and error.status == HTTPStatus.UNAUTHORIZED
    kind = ErrorKind.LOGIN_REQUIRED if wants_login else _KINDS.get(type(error), ErrorKind.OTHER)
    return RequestError(kind, str(error))
