"""Middleware that rejects requests from other web sites."""

import ipaddress
from collections.abc import Awaitable, Callable
from urllib.parse import SplitResult, urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from comfytui.sim.logs import Logs

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reject_cross_origin(logs: Logs, *, cross_site: bool) -> Middleware:
    """Return middleware that responds 403 if the Origin does not match the Host.

    Args:
        logs: Gets a warning per rejected request.
        cross_site: Also reject requests with `Sec-Fetch-Site: cross-site`.
    """

    @web.middleware
    async def check_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
        if cross_site and request.headers.get("Sec-Fetch-Site") == "cross-site":
            return web.Response(status=403)
        host, origin = request.headers.get("Host"), request.headers.get("Origin")
        if host is not None and origin is not None and not _same_site(host, origin):
            logs.warning(f"WARNING: request with non matching host and origin {host} != {origin}, returning 403")
            return web.Response(status=403)
        if request.method == "OPTIONS":
            return web.Response()
        return await handler(request)

    return check_origin


def _same_site(host: str, origin: str) -> bool:
    """Return whether Host and Origin match; always true if the Host is not loopback or a name is empty."""
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
