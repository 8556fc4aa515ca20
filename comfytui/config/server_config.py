"""One named server of the config file: its address and credentials, validated when the file is read."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack
from urllib.parse import urlencode

from comfytui.comfy.address import Address, BadServer, parse_address
from comfytui.comfy.server import Server, ServerOptions, basic_auth, validated_header
from comfytui.config.config import COMMANDS, PLANNED_COMMANDS
from comfytui.config.schema import Table
from comfytui.config.secret import BadConfig, InlineSecret, Secret

RESERVED_NAMES = frozenset({*COMMANDS, *PLANNED_COMMANDS})
"""Names that no server can have, because the command line takes them for commands."""
SECRET_KEYS = frozenset({"token", "token_env", "token_command", "password", "password_env", "password_command"})
SERVER_KEYS = SECRET_KEYS | {"url", "user", "headers", "cookies", "query", "ca", "cert", "insecure", "default"}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,49}")
_COOKIE_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
"""No spaces, quotes, commas, semicolons or backslashes."""
ReadSecret = Callable[[Secret], str]
"""`Secret.read`, or `Secret.inline_value` to validate without running a command."""


def name_error(name: str) -> str:
    """Return why a server cannot have this name, or an empty string."""
    if name in RESERVED_NAMES:
        return f"{name} is a command of comfytui: choose another name."
    return "" if _NAME.fullmatch(name) else "a name has letters, digits, - and _ only, and at most 50 of them."


@dataclass(frozen=True)
class NamedServer:
    """A valid server of the config file; its secrets are read when it is opened."""

    name: str
    table: Table
    """The server's entry, for the location of errors."""
    url: str = field(repr=False)
    user: str = field(repr=False)
    token: Secret | None
    password: Secret | None
    headers: dict[str, Secret]
    cookies: dict[str, Secret]
    query: dict[str, Secret]
    ca: Path | None
    cert: Path | None
    insecure: bool
    default: bool
    """Whether to open this server when none is given."""

    @classmethod
    def read(cls, name: str, table: Table) -> "NamedServer":
        """Read and validate a server, without reading secrets from outside the file.

        Raises:
            BadConfig: A key is unknown, or a value has a wrong type, cannot be sent, or conflicts with another one.
        """
        table.reject_unknown_keys(SERVER_KEYS)
        headers, cookies, query = (table.table(key).secrets() for key in ("headers", "cookies", "query"))
        server = cls(
            name=name,
            table=table,
            headers=headers,
            cookies=cookies,
            query=query,
            token=table.secret("token"),
            password=table.secret("password"),
            url=table.text("url"),
            user=table.text("user"),
            insecure=table.flag("insecure"),
            default=table.flag("default"),
            ca=table.path("ca"),
            cert=table.path("cert"),
        )
        server._check_address()
        server._check_credentials()
        return server

    @property
    def has_inline_secret(self) -> bool:
        """Whether a secret stands in the file itself."""
        address = self._address()
        secrets = [*self.headers.values(), *self.cookies.values(), *self.query.values(), self.token, self.password]
        return bool(address.query or address.login) or any(
            secret and isinstance(secret.source, InlineSecret) for secret in secrets
        )

    @property
    def summary(self) -> str:
        """The address without credentials."""
        return self._address().base.removeprefix("http://")

    def to_server(self, **options: Unpack[ServerOptions]) -> Server:
        """Read the secrets, and return the server to connect to.

        Args:
            options: Credentials and certificates; they take precedence over those of the file.

        Raises:
            BadConfig: A secret cannot be read or sent, or a certificate of the file cannot be read.
            BadServer: A certificate of the options cannot be read.
        """
        try:
            return Server.from_url(
                self.url,
                headers=[*self._headers(Secret.read), *options.get("headers", ())],
                ca=options.get("ca") or self.ca,
                cert=options.get("cert") or self.cert,
                insecure=options.get("insecure", False) or self.insecure,
                query=urlencode({name: secret.read() for name, secret in self.query.items()}, errors="surrogateescape"),
                name=self.name,
            )
        except BadConfig:
            raise
        except BadServer as error:
            # Everything else was validated before, so a certificate is wrong.
            key = next((key for key in ("ca", "cert") if getattr(self, key) and not options.get(key)), "")
            raise (self.table.error(key, str(error)) if key else error) from None

    def _address(self) -> Address:
        return parse_address(self.url)

    def _check_address(self) -> None:
        if not self.url:
            raise self.table.error("url", "set the address of the server, like http://gpu-box:8188.")
        try:
            self._address()
        except BadServer as error:
            raise self.table.error("url", str(error)) from None

    def _check_credentials(self) -> None:
        """Reject credentials that cannot be sent, and those that conflict with each other."""
        if self.password and not self.user:
            raise self.table.error("user", "a password needs a user.")
        if ":" in self.user:
            raise self.table.error("user", "a user name cannot contain a colon.")
        logins = [key for key, given in (("token", self.token), ("user", self.user)) if given]
        logins += [f"headers.{name}" for name in self.headers if name.lower() == "authorization"]
        if len(logins) > 1:
            raise self.table.error(logins[1], f"{logins[0]} already sets a login: remove one of them.")
        if self.cookies and "cookie" in map(str.lower, self.headers):
            raise self.table.error("cookies", "headers already has a Cookie: remove one of them.")
        for _ in self._headers(Secret.inline_value):
            pass

    def _headers(self, read_secret: ReadSecret) -> Iterable[tuple[str, str]]:
        """Yield every header, with secrets read by `read_secret`; raise BadConfig for one that cannot be sent."""
        for name, secret in self.headers.items():
            yield _checked_header(secret, name, read_secret(secret).strip())
        if self.token:
            yield _checked_header(self.token, "Authorization", f"Bearer {read_secret(self.token)}")
        if self.user:
            yield "Authorization", basic_auth(f"{self.user}:{read_secret(self.password) if self.password else ''}")
        if self.cookies:
            cookies = (_checked_cookie(secret, name, read_secret) for name, secret in self.cookies.items())
            yield "Cookie", "; ".join(cookies)


def _checked_header(secret: Secret, name: str, value: str) -> tuple[str, str]:
    try:
        return validated_header(name, value)
    except BadServer as error:
        raise BadConfig(f"{secret.location}: {error}") from None


def _checked_cookie(secret: Secret, name: str, read_secret: ReadSecret) -> str:
    value = read_secret(secret)
    if not _COOKIE_NAME.fullmatch(name) or not _COOKIE_VALUE.fullmatch(value):
        raise BadConfig(f"{secret.location}: this has characters that are not allowed in a cookie.")
    return f"{name}={value}"
