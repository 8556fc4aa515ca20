"""JSON as the relay answers with it."""

from collections.abc import Mapping
from hashlib import blake2b

import msgspec
from aiohttp import web

from comfytui.headless.documents.commands import ErrorAnswer


def json_answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a response with a document."""
    response = web.Response(status=status, headers=headers, body=body, content_type="application/json")
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def json_error(
    status: int, sentence: str, headers: Mapping[str, str] | None = None, field: str | None = None
) -> web.Response:
    """Return a response with an error; `field` is the value that is to be corrected."""
    return json_answer(msgspec.json.encode(ErrorAnswer(error=sentence, field=field)), status, headers)


def json_if_changed(request: web.Request, body: bytes) -> web.Response:
    """Return a response with a document, or 304 without it if the client has the same one."""
    tag = blake2b(body, digest_size=12).hexdigest()
    headers = {"Cache-Control": "no-store", "ETag": f'"{tag}"'}
    return web.Response(status=304, headers=headers) if has_same(request, tag) else json_answer(body, headers=headers)


def has_same(request: web.Request, tag: str) -> bool:
    """Return whether the client has what this tag is of."""
    return any(each.value in {tag, "*"} for each in request.if_none_match or ())
