"""The middleware that keeps foreign web pages from queueing jobs."""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from comfytui.sim.logs import Logs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def refuse_foreign_pages(logs: Logs, *, cross_site: bool) -> Middleware:
    """Make the middleware: 403 for a cross-site fetch, if that is known, and for an Origin that is not the Host."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if cross_site and request.headers.get("Sec-Fetch-Site") == "cross-site":
            return web.Response(status=403)
        host, origin = request.headers.get("Host"), request.headers.get("Origin")
        if host is not None and origin is not None and not _same_site(host, origin):
            logs.warning(f"WARNING: request with non matching host and origin {host} != {origin}, returning 403")
            return web.Response(status=403)
        if request.method == "OPTIONS":
            return web.Response()
        return await handler(request)

    return guard


def _same_site(host: str, origin: str) -> bool:
    """Return whether Host and Origin agree; a Host that is not loopback, or an empty name, is let through."""
    host_parts, origin_parts = urlsplit(f"//{host.lower()}"), urlsplit(origin.lower())
    if not _is_loopback(host_parts.hostname):
        return True
    host_name = _name(host_parts, with_port=origin_parts.port is not None)
    origin_name = _name(origin_parts, with_port=host_parts.port is not None)
    return not host_name or not origin_name or host_name == origin_name


def _name(parts: SplitResult, *, with_port: bool) -> str | None:
    return parts.netloc if with_port else parts.hostname


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
