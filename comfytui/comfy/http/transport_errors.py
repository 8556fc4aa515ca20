"""Translate what goes wrong with an HTTP request, a status or an exception, into the errors of the client."""

import httpx

from comfytui.comfy.connection_errors import bad_proxy, not_comfyui, unauthorized, unreachable
from comfytui.comfy.errors import ComfyError, ServerError, TimedOut, TooLarge, Unreachable
from comfytui.comfy.limits import MIB
from comfytui.comfy.proxies import proxy_of
from comfytui.comfy.server import Server

_TIMEOUT_STATUSES = frozenset({408, 504, 522, 524})
_LOGIN_STATUSES = frozenset({401, 403, 407})


def check_status(server: Server, response: httpx.Response) -> None:
    """Raise for a status from which no caller draws a conclusion of its own.

    Raises:
        Unauthorized: For a 401, 403 or 407, and for redirects, which lead to a login.
        TimedOut: If a proxy gave up waiting for the server.
        ServerError: For any other status of 500 or more.
    """
    status = response.status_code
    if status in _LOGIN_STATUSES or response.is_redirect:
        raise unauthorized(server, status)
    if status in _TIMEOUT_STATUSES:
        raise TimedOut(
            f"A proxy in front of {server.label} gave up waiting ({status}): the server is busy or down, try again."
        )
    if status >= 500:
        raise ServerError(f"{server.label} failed with status {status}: look at the server's log.", status)


def error_of(server: Server, error: Exception, *, closed: bool) -> ComfyError:
    """Return the client's error for an exception of a request.

    Args:
        server: The server that the request was sent to.
        error: What httpx or the timeout of the whole request raised.
        closed: Whether the transport was closed meanwhile, which times out all its requests.
    """
    shown = server.label
    match error:
        case httpx.ConnectTimeout():
            return Unreachable(
                f"{server.label_with_address} does not answer: check the address, the VPN or the SSH forward."
            )
        case httpx.ProxyError():
            return bad_proxy(server)
        case httpx.ConnectError():
            return unreachable(server, error, proxied=proxy_of(server) is not None)
        case httpx.TimeoutException() | TimeoutError() if not closed:
            return TimedOut(f"{shown} took too long to answer: it may be loading a model, or the connection is broken.")
        case httpx.RemoteProtocolError() if "illegal" in str(error):
            return not_comfyui(server)
        case _:
            return ServerError(f"The connection to {shown} broke before the answer was complete.")


def bad_encoding(server: Server) -> ServerError:
    """Return the error for a response with a content encoding that cannot be decoded."""
    return ServerError(
        f"The answer of {server.label} is damaged, or compressed in a way that comfytui did not ask for: "
        "check the proxy in front of it."
    )


def too_large(server: Server, limit: int) -> TooLarge:
    """Return the error for a response larger than `limit` bytes."""
    return TooLarge(f"The answer of {server.label} is larger than {-(-limit // MIB)} MiB and was not read.")
