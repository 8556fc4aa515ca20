"""Which server, and how to get in: one value for HTTP and socket alike, whose secrets never show."""

import ipaddress
import re
import ssl
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Self
from urllib.parse import SplitResult, quote, unquote, urlsplit

from comfytui.plain import plain

DEFAULT_PORT = 8188
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HOST = re.compile(r"[^\s/?#@\[\]\\<>]+|\[[0-9A-Fa-f:.%]+\]")


class BadServer(ValueError):
    """An address, header or certificate that cannot be used; the message is one sentence without secrets."""


@dataclass(frozen=True)
class Server:
    """A ComfyUI's address and the way in. `base` ends without a slash; `query` and `headers` may hold secrets."""

    base: str
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    query: str = field(default="", repr=False)
    ca: Path | None = None
    cert: Path | None = None
    insecure: bool = False

    @classmethod
    def from_url(
        cls,
        text: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        ca: Path | None = None,
        cert: Path | None = None,
        insecure: bool = False,
    ) -> Self:
        """Read `box`, `box:8188`, `http://user:pass@box/prefix?token=...`; without a scheme the port is 8188."""
        text = text.strip()
        bare = "://" not in text
        parts = _split(f"http://{text}" if bare else text)
        host, port = _address(parts, DEFAULT_PORT if bare else None)
        ways_in = dict(headers)
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            ways_in.setdefault("Authorization", "Basic " + b64encode(login.encode()).decode())
        base = f"{_SCHEMES[parts.scheme]}://{host}{port}{quote(parts.path.rstrip('/'), safe='/%:@!$&()*+,;=~-._')}"
        server = cls(base, MappingProxyType(ways_in), parts.query, ca, cert, insecure)
        if parts.scheme in {"https", "wss"}:
            _ = server.tls  # A certificate that cannot be read is told now, not at the first request.
        return server

    @property
    def shown(self) -> str:
        """The address as it may be shown: neither login nor query."""
        return self.base.removeprefix("http://")

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
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """How certificates are checked; None for plain HTTP. Raises BadServer if a file cannot be read."""
        if not self.base.startswith("https:"):
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.cert:
                context.load_cert_chain(self.cert)
        except (OSError, ssl.SSLError):
            files = " or ".join(plain(str(path), 200) for path in (self.ca, self.cert) if path)
            raise BadServer(f"No certificate can be read from {files}: give PEM files to --ca and --cert.") from None
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def parse_header(text: str) -> tuple[str, str]:
    """Name and value of `Name: value`. Raises BadServer, without repeating the value."""
    name, colon, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not colon or not _HEADER_NAME.fullmatch(name):
        raise BadServer("A header reads 'Name: value', for example 'X-API-Key: ...'.")
    if not value.isprintable() or not value.isascii():
        raise BadServer(f"The value of the header {name} has characters that no header can carry.")
    return name, value


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadServer("That is no address: write it as http://box:8188, with a port from 1 to 65535.") from None
    if parts.scheme not in _SCHEMES:
        raise BadServer(f"'{plain(parts.scheme, 20)}' is no way to reach a ComfyUI: write http:// or https://.")
    return parts


def _address(parts: SplitResult, default_port: int | None) -> tuple[str, str]:
    """Host and `:port`, as a URL has them."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    if not host.isprintable() or not _HOST.fullmatch(host) or parts.port == 0:
        raise BadServer("That is no address: write it as http://box:8188.")
    port = parts.port or default_port
    return host, f":{port}" if port else ""
