"""Errors on the way to a server, with advice to the user; shared by HTTP and websocket."""

import errno
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from comfytui.comfy.errors import NotComfyUI, Unauthorized, Unreachable, UpgradeRefused
from comfytui.comfy.server import Server


def unauthorized(server: Server, status: int) -> Unauthorized:
    """Return the error for a 401, a 403, a 407 or a redirect to a login."""
    if status == 407:
        where = "put user:password@ before its host name in HTTP_PROXY or HTTPS_PROXY"
        return Unauthorized(f"The proxy in front of {server.label} asks for a login (407): {where}.", status)
    asks = "refused this login" if server.has_credentials else "asks for a login"
    if server.name:
        advice = f"set token, user and password, headers or cookies in [servers.{server.name}] of the config file"
    else:
        # Only for a 401 does the screen ask for a login.
        now = "log in when comfytui asks for it" if status == HTTPStatus.UNAUTHORIZED else "give --header"
        advice = f"{now}, or add the server and its login to the config file"
    return Unauthorized(f"{server.label} {asks} ({status}): {advice}.", status)


def not_comfyui(server: Server) -> NotComfyUI:
    """Return the error for a response that is not ComfyUI's."""
    where = server.label_with_address
    return NotComfyUI(f"{where} answers, but is not ComfyUI: check the address and the port (the default is 8188).")


def upgrade_refused(server: Server, status: int | None) -> UpgradeRefused:
    """Return the error for a websocket handshake that was refused, with the `status` of the response, if any."""
    how = "" if status is None else f" (status {status})"
    return UpgradeRefused(
        f"The websocket of {server.label_with_address} was refused{how}: "
        "if there is a proxy in front of it, let websocket upgrades to /ws pass."
    )


def bad_proxy(server: Server) -> Unreachable:
    """Return the error for a proxy of the environment that is invalid, unreachable, or refuses to connect."""
    host = urlsplit(server.base).hostname
    return Unreachable(
        f"The proxy set in the environment cannot reach {server.label}: unset it, or add {host} to NO_PROXY."
    )


def unreachable(server: Server, error: BaseException, *, proxied: bool = False) -> Unreachable:
    """Return the error for a connection that failed.

    Args:
        server: The server.
        error: What was raised; its chain of causes is searched for one that says why.
        proxied: Whether the connection goes through a proxy, which a failure to connect is then put down to.
    """
    location = server.label_with_address
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return Unreachable(f"The certificate of {location} is not trusted: give --ca FILE, or --insecure.")
            case ssl.SSLError():
                return Unreachable(f"The TLS handshake with {location} failed: try http://, or give --cert FILE.")
            case OSError() if proxied:
                return bad_proxy(server)
            case socket.gaierror():
                return Unreachable(_unknown_host(server), "dns")
            case OSError() if _is_refused(cause):
                return Unreachable(
                    f"Nothing listens at {location}: start ComfyUI there, or forward the port with ssh -L.",
                    "refused",
                )
    return Unreachable(f"{location} cannot be reached: check the address, the VPN or the SSH forward.")


def _unknown_host(server: Server) -> str:
    """Return the message for a host that does not resolve, which may be a misspelt name of the config file."""
    host = urlsplit(server.base).hostname or ""
    if server.name:
        return f'Unknown host "{host}": check the url of [servers.{server.name}] in config.toml, and the network.'
    if "." not in host:
        return f'Unknown host "{host}", and no server of that name in config.toml: check the spelling.'
    return f'Unknown host "{host}": check the spelling and the network.'


def _is_refused(error: OSError) -> bool:
    # For a host with several addresses asyncio merges all refusals into the text of one error.
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes; for a host with several addresses there is a group, or one error for all."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
