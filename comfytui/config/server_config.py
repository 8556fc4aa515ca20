"""One named server of the config file: where it is and how to get in, checked before anything of it is used."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Unpack
from urllib.parse import urlencode

from comfytui.comfy.server import BadServer, Server, ServerOptions, basic, checked_header, read_address
from comfytui.config.schema import Table
from comfytui.config.secret import BadConfig, Literal, Secret

COMMANDS = frozenset({"demo", "sim", "run", "watch", "relay", "doctor"})
"""First words of a command line that are no server."""
SECRETS = frozenset({"token", "token_env", "token_command", "password", "password_env", "password_command"})
KEYS = SECRETS | {"url", "user", "headers", "cookies", "query", "ca", "cert", "insecure", "default"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,49}")
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""What a cookie may hold: neither space nor quote, comma, semicolon or backslash."""
Look = Callable[[Secret], str]


def refusal(name: str) -> str:
    """Why a server cannot have this name, or nothing."""
    if name in COMMANDS:
        return f"{name} is a command of comfytui: choose another name."
    return "" if _NAME.fullmatch(name) else "a name has letters, digits, - and _ only, and at most 50 of them."


@dataclass(frozen=True)
class NamedServer:
    """A named server; its secrets are still where they are kept."""

    name: str
    table: Table
    headers: dict[str, Secret]
    cookies: dict[str, Secret]
    query: dict[str, Secret]
    token: Secret | None
    password: Secret | None

    @classmethod
    def read(cls, name: str, table: Table) -> "NamedServer":
        """Check all that can be told without asking for a secret; raises BadConfig."""
        table.allow(KEYS)
        headers, cookies, query = (table.table(key).secrets() for key in ("headers", "cookies", "query"))
        named = cls(name, table, headers, cookies, query, table.secret("token"), table.secret("password"))
        named._check_address()
        named._check_ways()
        _ = table.flag("insecure"), table.flag("default"), table.path("ca"), table.path("cert")
        return named

    @property
    def default(self) -> bool:
        """Whether this is the one to open when none is named."""
        return self.table.flag("default")

    @property
    def has_inline_secret(self) -> bool:
        """Whether a secret stands in the file itself."""
        address = read_address(self.table.text("url"))
        secrets = [*self.headers.values(), *self.cookies.values(), *self.query.values(), self.token, self.password]
        return bool(address.query or address.login) or any(
            secret and isinstance(secret.source, Literal) for secret in secrets
        )

    @property
    def told(self) -> str:
        """Where it is, without its secrets."""
        return read_address(self.table.text("url")).base.removeprefix("http://")

    def server(self, **more: Unpack[ServerOptions]) -> Server:
        """The server, its secrets read; what `more` says comes first. Raises BadServer."""
        ca, cert = more.get("ca") or self.table.path("ca"), more.get("cert") or self.table.path("cert")
        try:
            return Server.from_url(
                self.table.text("url"),
                headers=[*self._headers(Secret.read), *more.get("headers", ())],
                ca=ca,
                cert=cert,
                insecure=more.get("insecure", False) or self.table.flag("insecure"),
                query=self._query(),
                name=self.name,
            )
        except BadConfig:
            raise
        except BadServer as error:
            # All else was checked before, so it is a certificate.
            key = next((key for key in ("ca", "cert") if self.table.text(key) and not more.get(key)), "")
            raise (self.table.wrong(key, str(error)) if key else error) from None

    def _query(self) -> str:
        return urlencode({name: secret.read() for name, secret in self.query.items()}, errors="surrogateescape")

    def _check_address(self) -> None:
        if not self.table.text("url"):
            raise self.table.wrong("url", "set the address of the server, like http://gpu-box:8188.")
        try:
            read_address(self.table.text("url"))
        except BadServer as error:
            raise self.table.wrong("url", str(error)) from None

    def _check_ways(self) -> None:
        """Refuse what cannot be sent, and ways in that stand in each other's way."""
        table = self.table
        user = table.text("user")
        if self.password and not user:
            raise table.wrong("user", "a password needs a user.")
        if ":" in user:
            raise table.wrong("user", "a user name cannot contain a colon.")
        ways = [key for key, given in (("token", self.token), ("user", user)) if given]
        ways += [f"headers.{name}" for name in self.headers if name.lower() == "authorization"]
        if len(ways) > 1:
            raise table.wrong(ways[1], f"{ways[0]} already sets a login: remove one of them.")
        if self.cookies and "cookie" in map(str.lower, self.headers):
            raise table.wrong("cookies", "headers already has a Cookie: remove one of them.")
        for _ in self._headers(Secret.peek):
            pass

    def _headers(self, look: Look) -> Iterable[tuple[str, str]]:
        """Every header, each secret as `look` sees it."""
        for name, secret in self.headers.items():
            yield self._sendable(secret, name, look(secret).strip())
        if self.token:
            yield self._sendable(self.token, "Authorization", f"Bearer {look(self.token)}")
        if user := self.table.text("user"):
            yield "Authorization", basic(f"{user}:{look(self.password) if self.password else ''}")
        if self.cookies:
            yield "Cookie", "; ".join(f"{name}={self._cookie(name, look)}" for name in self.cookies)

    def _sendable(self, secret: Secret, name: str, value: str) -> tuple[str, str]:
        try:
            return checked_header(name, value)
        except BadServer as error:
            raise BadConfig(f"{secret.place}: {error}") from None

    def _cookie(self, name: str, look: Look) -> str:
        secret = self.cookies[name]
        value = look(secret)
        if not _COOKIE_NAME.fullmatch(name) or not _COOKIE.fullmatch(value):
            raise BadConfig(f"{secret.place}: this has characters that are not allowed in a cookie.")
        return value
