"""Headers of every response: what a browser must not do with it."""

from collections.abc import Mapping

from aiohttp import web

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page: it loads nothing from elsewhere, and runs no inline script."""
DATA_POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; base-uri 'none'; frame-ancestors 'none'; sandbox"
"""That of everything else: an image or a document that a browser opens by itself runs nothing."""
SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": DATA_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


async def set_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Set the headers that a handler has not set itself, before a response is sent."""
    if not request.path.startswith("/api/"):
        response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    # The default names the versions of Python and aiohttp.
    response.headers["Server"] = "comfytui"
