"""The routes that change something: a request for images, and the cancellation of a job or a batch."""

import asyncio
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec
from aiohttp import web

from comfytui.comfy.errors import ComfyError
from comfytui.headless.documents.cancellations import CancelDocument
from comfytui.headless.documents.commands import AwayAnswer, CancelAnswer, GenerateBody
from comfytui.headless.documents.jobs import Document
from comfytui.headless.relay.answers import json_answer, json_error
from comfytui.headless.relay.context import CONTEXT
from comfytui.headless.relay.earlier_batches import KeyReused
from comfytui.headless.relay.errors import RETRY_AFTER
from comfytui.headless.relay.generation import MAX_GRAPHS, NotConverted, TooManyJobs
from comfytui.headless.relay.requested import requested_batch, requested_flag, requested_job
from comfytui.headless.value_checks import FieldError
from comfytui.presentation.command_text import OUTCOMES, NotificationText, cancellation_message
from comfytui.sanitize import sanitize
from comfytui.service.results import CancelOutcome
from comfytui.workflow.errors import WorkflowError

KEY_HEADER: Final = "Idempotency-Key"
MAX_VALUES: Final = 250_000
"""Values in the JSON of a request, each of which takes up to 100 bytes once it is decoded."""
RETRY_AFTER_JOBS: Final = 30
"""Seconds after which a client is to ask again while too many jobs have not ended."""
STATUSES: Final[Mapping[CancelOutcome, int]] = {
    CancelOutcome.ALREADY_ENDED: 409,
    CancelOutcome.TOO_LATE: 409,
    CancelOutcome.UNSUPPORTED: 409,
    CancelOutcome.NOT_TARGETED: 409,
    CancelOutcome.OTHERS_RUNNING: 409,
    CancelOutcome.UNKNOWN_JOB: 404,
    CancelOutcome.NOT_FOUND: 404,
    CancelOutcome.UNKNOWN_VERSION: 503,
    CancelOutcome.STILL_QUEUED: 503,
}
"""The HTTP status of each outcome by which a job is not cancelled."""
MESSAGES: Final[Mapping[CancelOutcome, NotificationText]] = {
    **OUTCOMES,
    CancelOutcome.STILL_QUEUED: ("The server still has the job in its queue: try again.", "warning"),
    CancelOutcome.NOT_TARGETED: (
        "Not interrupted: this server is too old to interrupt a single job, force=1 stops whatever runs.",
        "warning",
    ),
}
"""The messages; those of the screen name its keys."""

_decode_body = msgspec.json.Decoder(GenerateBody).decode
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_INVALID = re.compile(r"(?P<reason>.*?)(?:(?: - at `\$\.?|(?<=unknown field) `)(?P<field>[^`.\[]{0,80}).*)?", re.DOTALL)


class TooManyValues(Exception):
    """The JSON of a request has too many values."""


async def generate(request: web.Request) -> web.Response:
    """Make images: 202 with their ids, 503 with them while ComfyUI is away."""
    try:
        key = _key_of(request)
        content = await request.read()
        now, context = requested_flag(request, "now"), request.app[CONTEXT]
        async with context.turns.turn():
            body = await asyncio.to_thread(_decode, content)
            if len(content) * body.images > MAX_GRAPHS:
                raise FieldError("images", "The request is too large for so many images: ask for fewer at once.")
            answer = await context.generation.generate(body, key, sha256(content).hexdigest(), now=now)
    except (FieldError, WorkflowError, NotConverted, KeyReused, TooManyJobs, TooManyValues) as error:
        return _refusal(error)
    if isinstance(answer, AwayAnswer):
        return _answer(503, answer, RETRY_AFTER)
    return _answer(202, answer)


async def cancel(request: web.Request) -> web.Response:
    """Cancel a job: 200 with what became of it, 409 if it had ended; `force=1` stops whatever an old server runs."""
    job, force = requested_job(request), requested_flag(request, "force")
    try:
        result = await asyncio.wrap_future(request.app[CONTEXT].session.service.cancel(job.prompt_id, force=force))
    except ComfyError as error:
        return json_error(503, cancellation_message(error)[0], _retry(RETRY_AFTER))
    status = STATUSES.get(result.outcome, 200)
    message, _ = cancellation_message(result, MESSAGES)
    outcome = result.outcome.name.lower()
    document = CancelAnswer(prompt_id=request.match_info["prompt_id"], outcome=outcome, message=message)
    return _answer(status, document, RETRY_AFTER if status == 503 else None)


async def cancel_batch(request: web.Request) -> web.Response:
    """Cancel what is left of a batch, also what another comfytui sends: 200 if nothing goes on."""
    batch_id, force = requested_batch(request), requested_flag(request, "force")
    try:
        result = await asyncio.wrap_future(request.app[CONTEXT].session.service.cancel_batch(batch_id, force=force))
    except ComfyError as error:
        return json_error(503, cancellation_message(error)[0], _retry(RETRY_AFTER))
    status = STATUSES[result.others] if result.others else 200
    if result.error or result.being_sent:
        status = 503
    document = CancelDocument(
        prompt_id=None,
        batch_id=batch_id,
        cancelled=status == 200 and not result.on_arrival,
        outcome=result.others.name.lower() if result.others else None,
        message=cancellation_message(result, MESSAGES)[0],
    )
    return _answer(status, document, RETRY_AFTER if status == 503 else None)


ROUTES = [
    web.post("/api/generate", generate),
    web.post("/api/jobs/{prompt_id}/cancel", cancel),
    web.post("/api/batches/{batch_id}/cancel", cancel_batch),
]


def _key_of(request: web.Request) -> str:
    """Return the idempotency key of a request; empty if it has none."""
    key = request.headers.get(KEY_HEADER, "")
    if KEY_HEADER in request.headers and not _KEY.fullmatch(key):
        raise FieldError(KEY_HEADER, f"{KEY_HEADER} must have 1 to 255 printable ASCII characters.")
    return key


def _decode(content: bytes) -> GenerateBody:
    """Return the request in a body.

    Raises:
        FieldError: It is none; the field is empty if no value is the cause.
        TooManyValues: It is not even decoded.
    """
    # One value follows each of these at most; those in texts count too.
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise TooManyValues
    try:
        return _decode_body(content)
    except msgspec.ValidationError as error:
        invalid = _INVALID.fullmatch(sanitize(str(error)))
        reason, field = invalid.group("reason", "field") if invalid else ("it is malformed", "")
        subject = f"'{field}'" if field else "The request"
        raise FieldError(field or "", f"{subject} is not accepted: {reason[:1].lower()}{reason[1:]}.") from None
    except RecursionError:
        raise FieldError("", "The request is nested too deeply.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise FieldError("", f"The request is not JSON: {sanitize(str(error), 100)}.") from None


def _refusal(error: Exception) -> web.Response:
    """Return the answer to a request for images that is not carried out."""
    match error:
        case FieldError(message=message, field=field):
            return json_error(400, message, field=field or None)
        case NotConverted():
            return _answer(503, AwayAnswer(error=str(error), saved=False), RETRY_AFTER)
        case KeyReused():
            reason = f"This {KEY_HEADER} was used for another request: use a new one."
            return json_error(409, reason, field=KEY_HEADER)
        case TooManyValues():
            return json_error(413, f"The request has more than {MAX_VALUES:,} values.")
        case TooManyJobs():
            reason = "Too many images are waiting: ask again when some are finished."
            return json_error(429, reason, _retry(RETRY_AFTER_JOBS))
        case _:
            return json_error(400, str(error), field="workflow")


def _answer(status: int, document: Document, retry_after: int | None = None) -> web.Response:
    return json_answer(msgspec.json.encode(document), status, _retry(retry_after) if retry_after else None)


def _retry(seconds: int) -> Mapping[str, str]:
    return {"Retry-After": str(seconds)}
