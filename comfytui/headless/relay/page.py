"""The relay's page: the files of `page/`, with headers that let a browser run and load nothing else."""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
MEDIA_TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
UNTIL_CHANGED = "public, max-age=31536000, immutable"
"""Caching of an address that has the version of the files in it."""
_REFERENCE = re.compile(rb'((?:page[\w-]*\.(?:css|js)|favicon\.svg))"')


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent."""

    body: bytes
    zipped: bytes
    """The same, compressed."""
    media_type: str
    etag: str


def page_files() -> tuple[str, Mapping[str, PageFile]]:
    """Return the version of the page, and its files by path; they name one another with the version."""
    sources = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in MEDIA_TYPES}
    version = _digest(b"\0".join(sources.values()))
    files = {}
    for name, source in sources.items():
        body = _REFERENCE.sub(rb'\1?v=%s"' % version.encode(), source)
        path = "/" if name == INDEX else f"/{name}"
        files[path] = PageFile(body, gzip.compress(body, mtime=0), MEDIA_TYPES[Path(name).suffix], _digest(body))
    return version, files


def page_routes() -> list[web.RouteDef]:
    """Return the routes of the page."""
    version, files = page_files()

    async def send(request: web.Request) -> web.Response:
        file = files[request.path]
        zipped = "gzip" in request.headers.get("Accept-Encoding", "")
        etag = f"{file.etag}-gzip" if zipped else file.etag
        headers = {
            **HEADERS,
            "Cache-Control": UNTIL_CHANGED if request.query.get("v") == version else "no-cache",
            "ETag": f'"{etag}"',
            "Vary": "Accept-Encoding",
        }
        if any(tag.value in {etag, "*"} for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if zipped:
            headers["Content-Encoding"] = "gzip"
        body = file.zipped if zipped else file.body
        return web.Response(body=body, content_type=file.media_type, charset="utf-8", headers=headers)

    return [web.get(path, send) for path in files]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
