"""Parse the address of a server as users write it."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, unquote, urlsplit

DEFAULT_PORT = 8188
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_SCHEME_PORTS = {"http": 80, "https": 443}
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NO_ADDRESS = "Not an address: write it like http://gpu-box:8188, with a port from 1 to 65535."


class BadServer(ValueError):
    """An address, header or certificate that cannot be used; the message is one sentence without secrets."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address."""

    base: str
    """Scheme, host, port and path, without a slash at the end; can be displayed."""
    query: str = field(repr=False)
    """The query, which may hold secrets."""
    login: str | None = field(repr=False)
    """The `user:password`, if there is one."""


def parse_address(text: str) -> Address:
    """Parse an address such as `gpu-box`, `gpu-box:8188` or `http://user:pass@gpu-box/prefix?token=...`.

    Without a scheme it is HTTP, and the port is `DEFAULT_PORT` unless given.

    Raises:
        BadServer: If it is not an address of a server.
    """
    text = text.strip()
    bare = not _WITH_SCHEME.match(text)
    parts = _split(f"http://{text}" if bare else text)
    path, query = (quote(part, safe="/%:@!$&'()*+,;=~?") for part in (parts.path.rstrip("/"), parts.query))
    login = None if parts.username is None else f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return Address(_origin(parts, DEFAULT_PORT if bare else None) + path, query, login)


def _split(url: str) -> SplitResult:
    if not url.isprintable():
        raise BadServer("Not an address: it has characters that are not allowed there.")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadServer(_NO_ADDRESS) from None
    if parts.scheme not in _SCHEMES:
        raise BadServer("Unsupported scheme: write http:// or https://.")
    # A login with such characters would be taken for host and path, and displayed.
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise BadServer("Write an @ after the host as %40, and / ? # within a password as %2F %3F %23.")
    return parts


def _origin(parts: SplitResult, default_port: int | None) -> str:
    """Return scheme, host and port; the port is left out only if it is the default of `https`."""
    scheme, port = _SCHEMES[parts.scheme], parts.port if parts.port is not None else default_port
    if port == 0 or parts.netloc.endswith(":"):
        raise BadServer(_NO_ADDRESS)
    if port is None:
        port = _SCHEME_PORTS[scheme]
    host = _host(parts.hostname or "")
    return f"{scheme}://{host}" if (scheme, port) == ("https", 443) else f"{scheme}://{host}:{port}"


def _host(name: str) -> str:
    """Return a host as URLs have it: an IP address, or a name in its ASCII form."""
    try:
        if ":" in name:
            return f"[{ipaddress.IPv6Address(name)}]"
        name = name.encode("idna").decode()
    except ValueError:
        raise BadServer(_NO_ADDRESS) from None
    if not _HOST_NAME.fullmatch(name):
        raise BadServer(_NO_ADDRESS)
    return name
