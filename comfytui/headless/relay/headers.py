"""Headers of every response: what a browser must not do with it."""

from collections.abc import Mapping

from aiohttp import web

DATA_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; frame-ancestors 'none'; sandbox"
"""The Content-Security-Policy of all but the page: a file or a document that a browser opens by itself runs nothing."""
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": DATA_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def set_security_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that a handler has not set itself, before a response is sent."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    # The default names the versions of Python and aiohttp.
    response.headers["Server"] = "comfytui"
