"""What the relay answers to a request for something that it knows: JSON, or a sentence that says why not."""

import json
from hashlib import blake2b
from typing import TypeVar

from aiohttp import web

Refusal = TypeVar("Refusal", bound=web.HTTPError)


def json_answer(request: web.Request, body: bytes) -> web.Response:
    """Return a document as the answer, or 304 without it if the client has the same one."""
    tag = blake2b(body, digest_size=12).hexdigest()
    headers = {"Cache-Control": "no-store", "ETag": f'"{tag}"'}
    if has_same(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=headers)


def has_same(request: web.Request, tag: str) -> bool:
    """Return whether the client has what this tag is of."""
    return any(each.value in {tag, "*"} for each in request.if_none_match or ())


def refusal(kind: type[Refusal], sentence: str) -> Refusal:
    """Return an HTTP error to raise, with one sentence as JSON."""
    return kind(text=json.dumps({"error": sentence}), content_type="application/json")
