"""Which web pages may use the relay: its own, and those of allowed origins.

Programs other than browsers send neither `Origin` nor `Sec-Fetch-Site`, and pass. Without a token the `Host` is checked
as well: the page of another site can have its own name resolved to this machine (DNS rebinding), and is of the same
origin then; so the relay answers only to names of this machine. Their port is not compared: it differs in a tunnel.

An `<img>` of another origin sends no `Origin`. Its `Referer` tells the page, which may leave it out but not forge it.
"""

from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from comfytui.headless.relay.answers import json_error
from comfytui.headless.relay.hosts import is_loopback, is_same_host, origin_of
from comfytui.headless.relay.options import RelayOptions

PREFLIGHT_HEADERS: Mapping[str, str] = {
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID",
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Max-Age": "600",
}
EXPOSED_HEADERS = "ETag, Retry-After"
"""What a page of an allowed origin may read beside the headers that every page may."""
MEDIA_PATHS = ("/api/view/", "/api/preview/")
"""Where the files are that a page of an allowed origin may show without being able to read them."""


def guard_origins(options: RelayOptions) -> Middleware:
    """Return a middleware that refuses the requests of foreign pages, and answers preflights of allowed ones."""
    allowed = frozenset(options.allowed_origins)

    @web.middleware
    async def guard_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not options.token and not _is_host_of_this_machine(request):
            return json_error(
                403, "Without a token, the relay answers only to names of this machine such as localhost."
            )
        if _is_foreign(request, allowed):
            return json_error(403, "Pages of this origin may not use the relay.")
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return web.Response(status=204, headers=PREFLIGHT_HEADERS)
        return await handler(request)

    return guard_origin


def allow_origins(app: web.Application, origins: Collection[str]) -> None:
    """Let pages of these origins read the responses of an application, and show its images."""
    allowed = frozenset(origins)

    async def set_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers["Vary"] = ", ".join([*response.headers.getall("Vary", ()), "Origin", "Referer"])
        if _is_shown_by(request, allowed):
            response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if (origin := request.headers.get("Origin")) in allowed:
            response.headers["Access-Control-Allow-Origin"] = str(origin)
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS

    if allowed:
        app.on_response_prepare.append(set_headers)


def _is_host_of_this_machine(request: web.Request) -> bool:
    """Return whether the `Host` is a loopback name; a request without one comes from no browser."""
    host = request.headers.get("Host")
    try:
        return host is None or is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False


def _is_foreign(request: web.Request, allowed: Collection[str]) -> bool:
    """Return whether a page of another origin sent a request.

    `Sec-Fetch-Site` is what the browser knows, and counts where it is sent, which is over https and on this machine.
    Elsewhere the `Origin` is compared with the `Host`. Following a link from another page is allowed.
    """
    origin = request.headers.get("Origin")
    if origin in allowed or _is_shown_by(request, allowed):
        return False
    match request.headers.get("Sec-Fetch-Site"):
        case "same-origin" | "none":
            return False
        case None:
            return origin is not None and not is_same_host(origin, request.headers.get("Host", ""))
        case _:
            return not _follows_link(request)


def _is_shown_by(request: web.Request, allowed: Collection[str]) -> bool:
    """Return whether a page of these origins shows a file, as with `<img>`."""
    if request.method != "GET" or "Origin" in request.headers or not request.path.startswith(MEDIA_PATHS):
        return False
    return origin_of(request.headers.get("Referer", "")) in allowed


def _follows_link(request: web.Request) -> bool:
    return (
        request.method == "GET"
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
    )
