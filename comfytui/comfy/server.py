"""A server's address, credentials and TLS settings: one value for HTTP and websocket, whose repr holds no secrets."""

import ipaddress
import re
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypedDict
from urllib.parse import quote, urlsplit

from comfytui.comfy.address import BadServer, parse_address
from comfytui.sanitize import sanitize

if TYPE_CHECKING:
    from comfytui.comfy.http.cookies import BoundedCookieJar

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_RESERVED_HEADERS = re.compile(r"host|origin|connection|upgrade|content-length|transfer-encoding|sec-.*", re.IGNORECASE)
"""Headers that the request sets itself, and those for which ComfyUI responds with a 403."""
_NO_HEADER = "A header reads 'Name: value', for example 'X-API-Key: ...'."


class ServerOptions(TypedDict, total=False):
    """Credentials and TLS settings, as keyword arguments of `Server.from_url`."""

    headers: Iterable[tuple[str, str]]
    ca: Path | None
    cert: Path | None
    insecure: bool


@dataclass(frozen=True)
class Server:
    """The address of a ComfyUI server, with credentials and TLS settings."""

    base: str
    """The URL below which all paths are, without a slash at the end."""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False, hash=False)
    """Headers of every request, which may hold secrets."""
    query: str = field(default="", repr=False)
    """Query parameters of every request, which may hold secrets."""
    ca: Path | None = None
    """PEM file of the certificates that are trusted instead of the system's."""
    cert: Path | None = None
    """PEM file of a client certificate and its key."""
    insecure: bool = False
    """Whether the server's certificate is not verified."""
    name: str = ""
    """The user's name for the server."""

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
        """Return the server at an address as users write it.

        Args:
            text: The address, as `parse_address` takes it; its login becomes an Authorization header.
            headers: Headers of every request; of several of one name the last counts.
            ca: PEM file of the certificates that are trusted instead of the system's.
            cert: PEM file of a client certificate and its key.
            insecure: Whether not to verify the server's certificate.
            query: Query parameters of every request, in addition to the address's own.
            name: The user's name for the server.

        Raises:
            BadServer: If the text is not an address, or a certificate cannot be read.
        """
        address = parse_address(text)
        merged = MappingProxyType(_merged_headers(address.login, headers))
        server = cls(address.base, merged, "&".join(filter(None, (address.query, query))), ca, cert, insecure, name)
        if server.base.startswith("https:"):
            _ = server.tls  # Report a certificate that cannot be read now, and not at the first request.
        return server

    @property
    def label(self) -> str:
        """The name of the server, else its address: identifies it to the user."""
        return self.name or self.address

    @property
    def address(self) -> str:
        """The address without login and query, which may hold secrets."""
        return self.base.removeprefix("http://")

    @property
    def label_with_address(self) -> str:
        """The name and the address, for messages about a wrong address."""
        return f"{self.name} ({self.address})" if self.name else self.address

    @property
    def has_credentials(self) -> bool:
        """Whether requests carry headers or query parameters, which may be credentials."""
        return bool(self.headers or self.query)

    def with_authorization(self, value: str) -> "Server":
        """Return the server with this value of the Authorization header."""
        headers = {name: old for name, old in self.headers.items() if name.lower() != "authorization"}
        return replace(self, headers=MappingProxyType(headers | {"Authorization": value}))

    def http_url(self, path: str) -> str:
        """Return the URL of a path such as `/queue`, with the query parameters of every request."""
        return self._with_query(self.base + path)

    def ws_url(self, client_id: str) -> str:
        """Return the URL of the websocket of a client id."""
        return self._with_query(f"ws{self.base.removeprefix('http')}/ws?clientId={quote(client_id, safe='')}")

    def _with_query(self, url: str) -> str:
        return f"{url}{'&' if '?' in url else '?'}{self.query}" if self.query else url

    @property
    def loopback(self) -> bool:
        """Whether the address is of this machine (also one end of a tunnel), which is never reached through a proxy."""
        host = urlsplit(self.base).hostname or ""
        try:
            address = ipaddress.ip_address(host)
            return address.is_loopback or address.is_unspecified  # ComfyUI reports 0.0.0.0 when it listens everywhere.
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @cached_property
    def cookies(self) -> "BoundedCookieJar":
        """Cookies set by the server or by a proxy in front of it, shared by HTTP and websocket."""
        # Imported late: the first paint does not need it, and it loads Python's own HTTP client.
        from comfytui.comfy.http.cookies import BoundedCookieJar

        return BoundedCookieJar()

    def cookie_header(self, url: str) -> Mapping[str, str]:
        """Return the `Cookie` header of the jar for a URL; none if the user set one, which replaces it."""
        if any(name.lower() == "cookie" for name in self.headers):
            return {}
        value = self.cookies.header_for(url)
        return {"Cookie": value} if value else {}

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS settings, None for plain HTTP. Raises BadServer if a certificate cannot be read."""
        if not self.base.startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.cert:
                # Without this, OpenSSL would prompt for the passphrase of an encrypted key on the terminal.
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
    """Parse `Name: value`. Raises BadServer, whose message does not repeat the value."""
    name, colon, value = text.partition(":")
    if not colon:
        raise BadServer(_NO_HEADER)
    return validated_header(name.strip(), value.strip())


def validated_header(name: str, value: str) -> tuple[str, str]:
    """Return a header that can be sent. Raises BadServer, whose message does not repeat the value."""
    if not _HEADER_NAME.fullmatch(name):
        raise BadServer(_NO_HEADER)
    if _RESERVED_HEADERS.fullmatch(name):
        raise BadServer(f"The header {name} cannot be set, since requests would fail with it: leave it out.")
    if not value.isprintable() or not value.isascii():
        raise BadServer(f"The value of the header {name} has characters that are not allowed in a header.")
    return name, value


def basic_auth(login: str) -> str:
    """Return the value of the Authorization header for `user:password`."""
    return "Basic " + b64encode(login.encode("utf-8", "surrogateescape")).decode()


def _merged_headers(login: str | None, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the last header of each name, and the login as an Authorization header unless there is one."""
    merged = {name.lower(): (name, value) for name, value in headers}
    if login is not None:
        merged.setdefault("authorization", ("Authorization", basic_auth(login)))
    return dict(merged.values())
