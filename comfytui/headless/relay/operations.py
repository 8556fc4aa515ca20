"""The relay's routes under `/api`, as its OpenAPI document describes them."""

from collections.abc import Mapping, Sequence

from comfytui.headless.documents.cancellations import CancelDocument
from comfytui.headless.documents.commands import AwayAnswer, CancelAnswer, ErrorAnswer, GenerateAnswer, GenerateBody
from comfytui.headless.documents.server import ServerSnapshot
from comfytui.headless.documents.snapshots import JobSnapshot, QueueSnapshot
from comfytui.headless.relay.commands import KEY_HEADER
from comfytui.headless.relay.operation import Answer, Operation, Parameter, Schema
from comfytui.headless.relay.polling import MAX_WAIT, Events
from comfytui.headless.relay.thumbnails import MAX_WIDTH, MIN_WIDTH

ANY_TYPE = "*/*"
"""The media type of files, which have many."""
EVENT_STREAM = "text/event-stream"


def _error(description: str) -> Answer:
    return Answer(description, [ErrorAnswer])


FLAG: Schema = {"type": "string", "enum": ["0", "1"]}
COUNT: Schema = {"type": "string", "pattern": "^[0-9]{1,18}$"}
PROMPT_ID = Parameter("promptId", "path", "The id of a job.")
FORCE = Parameter("force", "query", "1 to stop whatever an old server runs.", FLAG)
IF_NONE_MATCH = Parameter("If-None-Match", "header", "The ETag of an earlier answer: 304 if that is still true.")
SUBJECT = (
    Parameter("promptId", "query", "The job to follow."),
    Parameter("batchId", "query", "The batch to follow; without this and `promptId`, all of mine."),
    Parameter("lastEventId", "query", "The id of the last event that the client has, as `Last-Event-ID`.", COUNT),
)
UNCHANGED = Answer("The client has this already.")
NO_JOB = _error("There is no such job.")
NO_SUBJECT = _error("There is no such job or batch.")
INVALID = _error("A parameter is invalid.")
AWAY = _error("It is not known, since ComfyUI cannot be asked.")

OPERATIONS: Sequence[Operation] = (
    Operation(
        name="streamProgress",
        method="get",
        path="/api/generate/progress",
        summary="Follow a job, a batch, or all of mine",
        description=(
            "Server-sent events. Their data is a ProgressEvent, ImageEvent or EndEvent, or a PreviewEvent for a client "
            "that asks for previews; the name of each is in its `event`. The stream of a job or a batch ends with its "
            "EndEvent, that of all of mine goes on."
        ),
        parameters=(
            *SUBJECT,
            Parameter("Last-Event-ID", "header", "The id of the last event that the client has.", COUNT),
            Parameter("previews", "query", "1 to get previews too.", FLAG),
        ),
        answers={
            200: Answer("The events, as they come.", media_type=EVENT_STREAM),
            204: Answer("The client has the last event already: it is not to come back."),
            400: INVALID,
            404: NO_SUBJECT,
            503: AWAY,
        },
    ),
    Operation(
        name="pollProgress",
        method="get",
        path="/api/progress",
        summary="The same events, as JSON",
        parameters=(
            *SUBJECT,
            Parameter(
                "wait",
                "query",
                "Seconds to wait until there is another answer than that of `If-None-Match`.",
                {"type": "number", "minimum": 0, "maximum": MAX_WAIT},
            ),
            IF_NONE_MATCH,
        ),
        answers={200: Answer("The events.", [Events]), 304: UNCHANGED, 400: INVALID, 404: NO_SUBJECT, 503: AWAY},
    ),
    Operation(
        name="generate",
        method="post",
        path="/api/generate",
        summary="Make images",
        parameters=(
            Parameter("now", "query", "1 to save nothing while ComfyUI is away.", FLAG),
            Parameter(
                KEY_HEADER,
                "header",
                "Any text; a request that is repeated with it is made once.",
                {"type": "string", "pattern": "^[ -~]{1,255}$"},
            ),
        ),
        body=GenerateBody,
        answers={
            202: Answer("The images are made.", [GenerateAnswer]),
            400: _error("A value is invalid; `field` names it."),
            409: _error("The idempotency key was used for another request."),
            413: _error("The body is too large, or has too many values."),
            503: Answer("ComfyUI is away; `saved` tells whether the images are made later.", [AwayAnswer]),
        },
    ),
    Operation(
        name="cancelJob",
        method="post",
        path="/api/jobs/{promptId}/cancel",
        summary="Cancel a job",
        parameters=(
            PROMPT_ID,
            FORCE,
        ),
        answers={
            200: Answer("The job is cancelled, or will be.", [CancelAnswer]),
            404: Answer("There is no such job.", [CancelAnswer, ErrorAnswer]),
            409: Answer("The job has ended, or the server cannot do it.", [CancelAnswer]),
            503: Answer("It is not known what became of it.", [CancelAnswer, ErrorAnswer]),
        },
    ),
    Operation(
        name="cancelBatch",
        method="post",
        path="/api/batches/{batchId}/cancel",
        summary="Cancel what is left of a batch",
        parameters=(Parameter("batchId", "path", "The id of a batch of mine."), FORCE),
        answers={
            200: Answer("Nothing of it is left, or will be.", [CancelDocument]),
            404: _error("There is no such batch."),
            409: Answer("The server cannot do it.", [CancelDocument]),
            503: Answer("Not everything is cancelled, or it is not known.", [CancelDocument, ErrorAnswer]),
        },
    ),
    Operation(
        name="getQueue",
        method="get",
        path="/api/queue",
        summary="The jobs of the server, and my batches",
        parameters=(IF_NONE_MATCH,),
        answers={200: Answer("The queue.", [QueueSnapshot]), 304: UNCHANGED},
    ),
    Operation(
        name="getJob",
        method="get",
        path="/api/jobs/{promptId}",
        summary="One job",
        parameters=(PROMPT_ID, IF_NONE_MATCH),
        answers={200: Answer("The job.", [JobSnapshot]), 304: UNCHANGED, 404: NO_JOB, 503: AWAY},
    ),
    Operation(
        name="getServer",
        method="get",
        path="/api/server",
        summary="The server, and the connection to it",
        parameters=(IF_NONE_MATCH,),
        answers={200: Answer("The server.", [ServerSnapshot]), 304: UNCHANGED},
    ),
    Operation(
        name="viewFile",
        method="get",
        path="/api/view/{promptId}/{index}",
        summary="A file that a job made",
        parameters=(
            PROMPT_ID,
            Parameter("index", "path", "Which file, from 0.", {"type": "integer", "minimum": 0, "maximum": 99_999}),
            Parameter(
                "width",
                "query",
                "Pixels across: a smaller version of an image, as WebP.",
                {"type": "integer", "minimum": MIN_WIDTH, "maximum": MAX_WIDTH},
            ),
            IF_NONE_MATCH,
        ),
        answers={
            200: Answer("The file.", media_type=ANY_TYPE),
            304: UNCHANGED,
            400: INVALID,
            404: _error("There is no such job or file."),
            410: _error("A newer file has its name."),
            502: _error("ComfyUI does not give the file, or it is not an image that can be made smaller."),
            503: _error("ComfyUI cannot be asked, or too many files are being passed on."),
        },
    ),
    Operation(
        name="getPreview",
        method="get",
        path="/api/preview/{promptId}",
        summary="The newest preview of a job",
        parameters=(PROMPT_ID, IF_NONE_MATCH),
        answers={
            200: Answer("The preview.", media_type=ANY_TYPE),
            304: UNCHANGED,
            404: _error("There is no such job, or no preview of it."),
            503: AWAY,
        },
    ),
    Operation(
        name="getOpenApi",
        method="get",
        path="/api/openapi.json",
        summary="This document",
        parameters=(IF_NONE_MATCH,),
        answers={200: Answer("An OpenAPI document.", [dict]), 304: UNCHANGED},
    ),
)
"""All operations under `/api`."""
COMMON_ANSWERS: Mapping[int, Answer] = {
    400: _error("The request is not valid."),
    401: _error("The relay needs its token."),
    403: _error("A page of this origin may not use the relay."),
    408: _error("The body did not arrive in time."),
    429: _error("There are too many clients, wrong tokens, or jobs that wait; `Retry-After` says when to ask again."),
    500: _error("The relay failed; its log says why."),
}
"""What every operation may answer, unless it describes the status itself."""
