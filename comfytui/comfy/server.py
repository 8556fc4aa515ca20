"""Which server, and how to get in: one value for HTTP and socket alike, whose secrets never show."""

import ipaddress
import re
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypedDict
from urllib.parse import SplitResult, quote, unquote, urlsplit

from comfytui.comfy.http.cookies import SmallJar
from comfytui.sanitize import sanitize

DEFAULT_PORT = 8188
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_SCHEME_PORTS = {"http": 80, "https": 443}
_WITH_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OUR_HEADERS = re.compile(r"host|origin|connection|upgrade|content-length|transfer-encoding|sec-.*", re.IGNORECASE)
"""Headers of the request itself, and those that ComfyUI answers with a 403."""
_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")
_NO_HEADER = "A header reads 'Name: value', for example 'X-API-Key: ...'."
_NO_ADDRESS = "Not an address: write it like http://gpu-box:8188, with a port from 1 to 65535."


class BadServer(ValueError):
    """An address, header or certificate that cannot be used; the message is one sentence without secrets."""


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address: `base` may be shown, `query` and `login` (user:password) are secrets."""

    base: str
    query: str = field(repr=False)
    login: str | None = field(repr=False)


class ServerOptions(TypedDict, total=False):
    """What else lets us in, as `Server.from_url` takes it."""

    headers: Iterable[tuple[str, str]]
    ca: Path | None
    cert: Path | None
    insecure: bool


@dataclass(frozen=True)
class Server:
    """A ComfyUI's address and the way in. `base` ends without a slash; `query` and `headers` may hold secrets."""

    base: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)
    query: str = field(default="", repr=False)
    ca: Path | None = None
    cert: Path | None = None
    insecure: bool = False
    name: str = ""

    @classmethod
    def from_url(
        cls,
        text: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        ca: Path | None = None,
        cert: Path | None = None,
        insecure: bool = False,
        query: str = "",
        name: str = "",
    ) -> Self:
        """Read `box`, `box:8188`, `http://user:pass@box/prefix?token=...`; without a scheme the port is 8188.

        `query` is added to the address's own, `name` is what the user calls it. Raises BadServer for what is no
        address, and for certificates that cannot be read.
        """
        address = read_address(text)
        ways = MappingProxyType(_ways_in(address.login, headers))
        server = cls(address.base, ways, "&".join(filter(None, (address.query, query))), ca, cert, insecure, name)
        if server.base.startswith("https:"):
            _ = server.tls  # A certificate that cannot be read is told now, not at the first request.
        return server

    @property
    def shown(self) -> str:
        """What the user calls it, and what tells it from others: its name, else its address."""
        return self.name or self.address

    @property
    def address(self) -> str:
        """The address as it may be shown: neither login nor query."""
        return self.base.removeprefix("http://")

    @property
    def located(self) -> str:
        """What the user calls it and where that is, for sentences about a wrong address."""
        return f"{self.name} ({self.address})" if self.name else self.address

    @property
    def has_credentials(self) -> bool:
        """Whether requests carry anything that may let them in."""
        return bool(self.headers or self.query)

    def with_authorization(self, value: str) -> "Server":
        """The same server, where requests carry this Authorization header instead of any other one."""
        headers = {name: old for name, old in self.headers.items() if name.lower() != "authorization"}
        return replace(self, headers=MappingProxyType(headers | {"Authorization": value}))

    def http_url(self, path: str) -> str:
        """The URL of a path such as `/queue`, with the query that every request carries."""
        return self._with_query(self.base + path)

    def ws_url(self, client_id: str) -> str:
        """The URL of a socket."""
        return self._with_query(f"ws{self.base.removeprefix('http')}/ws?clientId={quote(client_id, safe='')}")

    def _with_query(self, url: str) -> str:
        return f"{url}{'&' if '?' in url else '?'}{self.query}" if self.query else url

    @property
    def loopback(self) -> bool:
        """Whether the server, or the end of a tunnel to it, is on this machine: no proxy leads there."""
        host = urlsplit(self.base).hostname or ""
        try:
            address = ipaddress.ip_address(host)
            return address.is_loopback or address.is_unspecified  # ComfyUI calls itself 0.0.0.0 when it listens to all.
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @cached_property
    def cookies(self) -> SmallJar:
        """What the server, or a proxy before it, set: one jar for HTTP and socket, since a session counts for both."""
        return SmallJar()

    def cookie_for(self, url: str) -> Mapping[str, str]:
        """The `Cookie` header of the jar for a URL; none where the user gives one, which is the whole of it."""
        if any(name.lower() == "cookie" for name in self.headers):
            return {}
        value = self.cookies.header_for(url)
        return {"Cookie": value} if value else {}

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """How certificates are checked; None for plain HTTP. Raises BadServer if a file cannot be read."""
        if not self.base.startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.cert:
                # An encrypted key would have its passphrase asked for in the middle of the screen.
                context.load_cert_chain(self.cert, password=lambda: "")
        except (OSError, ssl.SSLError) as error:
            if isinstance(error, FileNotFoundError):
                missing = next((path for path in (self.ca, self.cert) if path and not path.exists()), None)
                if missing:
                    raise BadServer(f"There is no file {sanitize(str(missing), 200)}: check its name.") from None
            files = " or ".join(sanitize(str(path), 200) for path in (self.ca, self.cert) if path)
            raise BadServer(f"No certificate can be read from {files}: give PEM files without a passphrase.") from None
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def parse_header(text: str) -> tuple[str, str]:
    """Name and value of `Name: value`. Raises BadServer, without repeating the value."""
    name, colon, value = text.partition(":")
    if not colon:
        raise BadServer(_NO_HEADER)
    return checked_header(name.strip(), value.strip())


def checked_header(name: str, value: str) -> tuple[str, str]:
    """A header that can be sent. Raises BadServer, without repeating the value."""
    if not _HEADER_NAME.fullmatch(name):
        raise BadServer(_NO_HEADER)
    if _OUR_HEADERS.fullmatch(name):
        raise BadServer(f"The header {name} cannot be set, since requests would fail with it: leave it out.")
    if not value.isprintable() or not value.isascii():
        raise BadServer(f"The value of the header {name} has characters that are not allowed in a header.")
    return name, value


def basic(login: str) -> str:
    """The value of an Authorization header for user:password."""
    return "Basic " + b64encode(login.encode("utf-8", "surrogateescape")).decode()


def read_address(text: str) -> Address:
    """The parts of an address as a user writes it. Raises BadServer."""
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
    # What stands before such an @ would be taken for host and path, and shown, though it is a login.
    if "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise BadServer("Write an @ after the host as %40, and / ? # within a password as %2F %3F %23.")
    return parts


def _origin(parts: SplitResult, default_port: int | None) -> str:
    """Scheme, host and port, the port left out only where `https` implies it."""
    scheme, port = _SCHEMES[parts.scheme], parts.port if parts.port is not None else default_port
    if port == 0 or parts.netloc.endswith(":"):
        raise BadServer(_NO_ADDRESS)
    if port is None:
        port = _SCHEME_PORTS[scheme]
    host = _host(parts.hostname or "")
    return f"{scheme}://{host}" if (scheme, port) == ("https", 443) else f"{scheme}://{host}:{port}"


def _host(name: str) -> str:
    """A host as a URL has it: an address, or a name in its ASCII form."""
    try:
        if ":" in name:
            return f"[{ipaddress.IPv6Address(name)}]"
        name = name.encode("idna").decode()
    except ValueError:
        raise BadServer(_NO_ADDRESS) from None
    if not _HOST_NAME.fullmatch(name):
        raise BadServer(_NO_ADDRESS)
    return name


def _ways_in(login: str | None, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The given headers, of each name the last, and the login of the URL unless one of them says more."""
    ways = {name.lower(): (name, value) for name, value in headers}
    if login is not None:
        ways.setdefault("authorization", ("Authorization", basic(login)))
    return dict(ways.values())
