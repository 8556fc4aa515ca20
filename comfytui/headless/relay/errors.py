"""Errors as clients of the relay get them: JSON with one sentence, and nothing of what is inside."""

import asyncio
import logging
from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler

from comfytui.headless.relay.answers import json_error
from comfytui.session.model import LinkKind
from comfytui.session.state import SessionState

_SENTENCES: Mapping[int, str] = {
    404: "There is nothing at this path.",
    405: "This path does not accept this method.",
    413: "The body of the request is too large.",
    417: "This expectation cannot be met.",
}
_NOT_BY_HANDLERS = frozenset({413, 417})
"""What aiohttp raises by itself, with a text of its own."""
RETRY_AFTER = 5
"""Seconds after which a client is to ask again while ComfyUI is away."""
STOPPED = "The session of the relay has stopped: start the relay again."
INTERNAL = "The relay failed; its log says why."

_log = logging.getLogger(__name__)


def why_away(state: SessionState) -> str:
    """Return the beginning of a sentence: why ComfyUI cannot be asked now."""
    match state.link.kind:
        case LinkKind.OTHER_SERVER:
            return "Another server than the known ComfyUI answers at its address"
        case LinkKind.NOT_COMFYUI:
            return "What answers at the address is not a ComfyUI"
        case LinkKind.UNAUTHORISED:
            return "ComfyUI rejects the relay's credentials"
        case LinkKind.LIVE | LinkKind.POLLING:
            return "ComfyUI answers, but its queue is not read yet"
        case kind:
            return f"ComfyUI cannot be reached ({kind.value})"


def json_of(error: web.HTTPException) -> web.Response:
    """Return an error as JSON; headers such as Allow and Retry-After stay."""
    headers = error.headers.copy()
    for name in ("Content-Length", "Content-Type"):
        headers.popall(name, None)
    if error.status == 503:
        headers.setdefault("Retry-After", str(RETRY_AFTER))
    response = json_error(error.status, _sentence_of(error), headers)
    if error.status == 413:
        response.force_close()
    return response


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with JSON where a handler raises; what it did not foresee is told to the log only."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return json_of(error)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is None or task.cancelling() or request.writer.output_size:
            raise
        # Not the request is cancelled, but what it asked the session for.
        return json_error(503, STOPPED, {"Retry-After": str(RETRY_AFTER)})
    except ConnectionError:
        raise
    except Exception:
        if request.writer.output_size:
            # The response has begun: the connection logs the error and closes.
            raise
        _log.exception("A handler of the relay failed")
        return json_error(500, INTERNAL)


def _sentence_of(error: web.HTTPException) -> str:
    """Return what a handler says about an error, or else what its status means."""
    if error.text and error.text != f"{error.status}: {error.reason}" and error.status not in _NOT_BY_HANDLERS:
        return error.text
    return _SENTENCES.get(error.status, f"{error.reason}.")
