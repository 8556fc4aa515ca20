"""Who gets in: the token of the relay, in a header, in the query, or shown once for a cookie.

With a token, everything needs it but the page and its files, `/healthz`, `/login` and `/logout`. Without one, which is
only possible on this machine, every program on it may read and write, and of the pages in its browsers only the relay's
own: see `comfytui.headless.relay.origins`.
"""

import hmac
import json
from pathlib import PurePosixPath
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler

from comfytui.headless.relay.answers import json_error
from comfytui.headless.relay.attempts import WrongTokens
from comfytui.headless.relay.hosts import is_loopback
from comfytui.headless.relay.login import LIFETIME_SECONDS, LoginCookies
from comfytui.headless.relay.options import RelayOptions

TOKEN_PARAMETER = "token"
"""The query parameter for `EventSource`, which cannot send a header."""
PUBLIC_PATHS = frozenset({"/", "/healthz", "/login", "/logout"})
PAGE_SUFFIXES = frozenset({".css", ".js", ".svg"})
"""Files of the page, beside it."""
CHALLENGE = {"WWW-Authenticate": "Bearer"}


class Access:
    """Checks the token of requests, and lets browsers log in.

    Args:
        options: The token.
        pause: Seconds from a wrong token to its answer.
    """

    def __init__(self, options: RelayOptions, pause: float) -> None:
        self._token = (options.token or "").encode("utf-8", "surrogatepass")
        self._logins = LoginCookies(self._token)
        self._wrong_tokens = WrongTokens(pause)

    def add_to(self, app: web.Application) -> None:
        """Add the check and the routes to an application."""
        app.middlewares.append(self.check)
        if self._token:
            app.add_routes([web.post("/login", self.log_in), web.post("/logout", self.log_out)])

    @web.middleware
    async def check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Pass a request on without a token in its query, or refuse it: a middleware."""
        shown = _bearer_of(request) or request.query.get(TOKEN_PARAMETER)
        request = _without_token(request)
        if self._token and not _is_public(request):
            refusal = None if self._has_login(request) else await self._refuse_unless(shown)
            if refusal is not None:
                return refusal
        return await handler(request)

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /login`: a cookie for the token, in JSON or from a form."""
        try:
            shown = await _token_in_body(request)
        except (ValueError, RecursionError):
            return json_error(400, "The body must have the token: as JSON, or as a form.")
        if (refusal := await self._refuse_unless(shown)) is not None:
            return refusal
        response = web.Response(status=204)
        response.set_cookie(
            _cookie_of(request),
            self._logins.new(),
            max_age=LIFETIME_SECONDS,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=_came_by_https(request),
        )
        return response

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /logout`: the browser forgets its cookie."""
        response = web.Response(status=204)
        response.del_cookie(
            _cookie_of(request), path="/", httponly=True, samesite="Strict", secure=_came_by_https(request)
        )
        return response

    def _has_login(self, request: web.Request) -> bool:
        return self._logins.is_valid(request.cookies.get(_cookie_of(request), ""))

    def _is_token(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), self._token)

    async def _refuse_unless(self, shown: str | None) -> web.Response | None:
        """Return a refusal unless the right token is shown."""
        if not shown:
            return json_error(401, "The relay needs its token.", CHALLENGE)
        if self._is_token(shown):
            return None
        if await self._wrong_tokens.wait():
            return json_error(401, "This is not the token of the relay.", CHALLENGE)
        later = {"Retry-After": str(self._wrong_tokens.retry_after)}
        return json_error(429, "Too many wrong tokens are shown at once; try again later.", later)


def _is_public(request: web.Request) -> bool:
    """Return whether a request needs no token, by the route that answers it."""
    resource = request.match_info.route.resource
    path = PurePosixPath(resource.canonical if resource else request.path)
    return str(path) in PUBLIC_PATHS or (path.parent == PurePosixPath("/") and path.suffix in PAGE_SUFFIXES)


def _cookie_of(request: web.Request) -> str:
    """Return the name of the cookie, by the relay's port: a browser sends the cookies of a machine to all its ports."""
    address = request.transport.get_extra_info("sockname") if request.transport else None
    return f"comfytui-relay-{address[1] if address else 0}"


def _bearer_of(request: web.Request) -> str | None:
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def _without_token(request: web.Request) -> web.Request:
    """Return a request whose URL has no token, so that nothing that handles it can show one."""
    if TOKEN_PARAMETER not in request.query:
        return request
    query = [(name, value) for name, value in request.query.items() if name != TOKEN_PARAMETER]
    return request.clone(rel_url=request.rel_url.with_query(query))


async def _token_in_body(request: web.Request) -> str:
    """Return the token in the body of a login; raise ValueError if it is not one."""
    match request.content_type:
        case "application/json":
            body = json.loads(await request.read())
            token = body.get(TOKEN_PARAMETER) if isinstance(body, dict) else None
        case "application/x-www-form-urlencoded":
            token = dict(parse_qsl((await request.read()).decode())).get(TOKEN_PARAMETER)
        case _:
            token = None
    if not isinstance(token, str):
        raise ValueError("no token")
    return token


def _came_by_https(request: web.Request) -> bool:
    """Return whether a browser used https; a proxy on this machine says so."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").strip().lower()
    return request.secure or (forwarded == "https" and is_loopback(request.remote or ""))
