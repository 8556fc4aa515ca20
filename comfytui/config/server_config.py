"""One named server of the config file: its address and credentials, validated when the file is read."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Unpack
from urllib.parse import urlencode

from comfytui.comfy.address import Address, BadServer, parse_address
from comfytui.comfy.server import Server, ServerOptions, basic_auth, validated_header
from comfytui.command_names import COMMANDS, PLANNED_COMMANDS
from comfytui.config.location import BadConfig, Location
from comfytui.config.schema import ServerTable, decode
from comfytui.config.secret import InlineSecret, Secret, login_secret, secrets_of

RESERVED_NAMES = frozenset({*COMMANDS, *PLANNED_COMMANDS})
"""Names that no server can have, because the command line takes them for commands."""
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
    location: Location
    table: ServerTable = field(repr=False)
    token: Secret | None
    password: Secret | None
    headers: dict[str, Secret]
    cookies: dict[str, Secret]
    query: dict[str, Secret]
    ca: Path | None
    cert: Path | None

    @classmethod
    def read(cls, name: str, entry: object, at: Location) -> "NamedServer":
        """Read and validate a server, without reading secrets from outside the file.

        Raises:
            BadConfig: A key is unknown, or a value has a wrong type, cannot be sent, or conflicts with another one.
        """
        table = decode(ServerTable, entry, at)
        server = cls(
            name=name,
            location=at,
            table=table,
            headers=secrets_of(table.headers, at.child("headers")),
            cookies=secrets_of(table.cookies, at.child("cookies")),
            query=secrets_of(table.query, at.child("query")),
            token=login_secret("token", table.token, table.token_env, table.token_command, at),
            password=login_secret("password", table.password, table.password_env, table.password_command, at),
            ca=_path(table.ca, at.child("ca")),
            cert=_path(table.cert, at.child("cert")),
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
                self.table.url,
                headers=[*self._headers(Secret.read), *options.get("headers", ())],
                ca=options.get("ca") or self.ca,
                cert=options.get("cert") or self.cert,
                insecure=options.get("insecure", False) or self.table.insecure,
                query=urlencode({name: secret.read() for name, secret in self.query.items()}, errors="surrogateescape"),
                name=self.name,
            )
        except BadConfig:
            raise
        except BadServer as error:
            # Everything else was validated before, so a certificate is wrong.
            key = next((key for key in ("ca", "cert") if getattr(self, key) and not options.get(key)), "")
            raise (self._error(key, str(error)) if key else error) from None

    def _error(self, key: str, reason: str) -> BadConfig:
        return BadConfig(self.location.child(key), reason)

    def _address(self) -> Address:
        return parse_address(self.table.url)

    def _check_address(self) -> None:
        if not self.table.url:
            raise self._error("url", "set the address of the server, like http://gpu-box:8188.")
        try:
            self._address()
        except BadServer as error:
            raise self._error("url", str(error)) from None

    def _check_credentials(self) -> None:
        """Reject credentials that cannot be sent, and those that conflict with each other."""
        if self.password and not self.table.user:
            raise self._error("user", "a password needs a user.")
        if ":" in self.table.user:
            raise self._error("user", "a user name cannot contain a colon.")
        logins = [key for key, given in (("token", self.token), ("user", self.table.user)) if given]
        logins += [f"headers.{name}" for name in self.headers if name.lower() == "authorization"]
        if len(logins) > 1:
            raise self._error(logins[1], f"{logins[0]} already sets a login: remove one of them.")
        if self.cookies and "cookie" in map(str.lower, self.headers):
            raise self._error("cookies", "headers already has a Cookie: remove one of them.")
        for _ in self._headers(Secret.inline_value):
            pass

    def _headers(self, read_secret: ReadSecret) -> Iterable[tuple[str, str]]:
        """Yield every header, with secrets read by `read_secret`; raise BadConfig for one that cannot be sent."""
        for name, secret in self.headers.items():
            yield _checked_header(secret, name, read_secret(secret).strip())
        if self.token:
            yield _checked_header(self.token, "Authorization", f"Bearer {read_secret(self.token)}")
        if user := self.table.user:
            yield "Authorization", basic_auth(f"{user}:{read_secret(self.password) if self.password else ''}")
        if self.cookies:
            cookies = (_checked_cookie(secret, name, read_secret) for name, secret in self.cookies.items())
            yield "Cookie", "; ".join(cookies)


def _path(text: str, at: Location) -> Path | None:
    """Return a path, relative to the folder of the config file."""
    try:
        return at.file.parent / Path(text).expanduser() if text else None
    except RuntimeError:
        raise BadConfig(at, "no user has this home folder.") from None


def _checked_header(secret: Secret, name: str, value: str) -> tuple[str, str]:
    try:
        return validated_header(name, value)
    except BadServer as error:
        raise BadConfig(secret.location, str(error)) from None


def _checked_cookie(secret: Secret, name: str, read_secret: ReadSecret) -> str:
    value = read_secret(secret)
    if not _COOKIE_NAME.fullmatch(name) or not _COOKIE_VALUE.fullmatch(value):
        raise BadConfig(secret.location, "this has characters that are not allowed in a cookie.")
    return f"{name}={value}"
