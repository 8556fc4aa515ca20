"""The description of the relay's routes as an OpenAPI document, made from the types of its documents."""

from collections.abc import Iterator, Mapping
from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec
from aiohttp import web

from comfytui.headless.documents.events import EndEvent, ImageEvent, ProgressEvent
from comfytui.headless.documents.jobs import VERSION
from comfytui.headless.documents.other_events import PreviewEvent
from comfytui.headless.relay.answers import json_if_changed
from comfytui.headless.relay.operation import Answer, Operation, Parameter
from comfytui.headless.relay.operations import COMMON_ANSWERS, OPERATIONS
from comfytui.headless.relay.polling import Events

REFERENCE = "#/components/schemas/{name}"
EVENTS = (ProgressEvent, ImageEvent, EndEvent)
"""What a stream and the answer of a poll have in them."""
DESCRIPTION = """\
Follow and make images of a ComfyUI server.

Without a token, the relay serves this machine alone; with one, each request needs it, as a header, as `token` in the
query, or as the cookie that `POST /login` gives to a browser."""
SECURITY_SCHEMES: Mapping[str, object] = {
    "header": {"type": "http", "scheme": "bearer"},
    "query": {"type": "apiKey", "in": "query", "name": "token"},
}

ROUTES = web.RouteTableDef()


@ROUTES.get("/api/openapi.json")
async def get_openapi(request: web.Request) -> web.Response:
    """Answer with the description of the routes."""
    return json_if_changed(request, _encoded())


def openapi() -> dict[str, Any]:
    """Return the OpenAPI document of the relay."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "comfytui relay", "version": str(VERSION), "description": DESCRIPTION},
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": SECURITY_SCHEMES},
        "security": [{}, *({name: []} for name in SECURITY_SCHEMES)],
    }


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(openapi())


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [_parameter(each) for each in operation.parameters],
        "responses": {str(status): _answer(each) for status, each in sorted(answers_of(operation).items())},
    }
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    return described


def answers_of(operation: Operation) -> Mapping[int, Answer]:
    """Return all answers of an operation by their statuses."""
    return {**COMMON_ANSWERS, **operation.answers}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "required": parameter.where == "path",
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.description}
    if answer.documents:
        schemas = [_reference(each) for each in answer.documents]
        schema = schemas[0] if len(schemas) == 1 else {"anyOf": schemas}
        described["content"] = {"application/json": {"schema": schema}}
    elif answer.media_type:
        described["content"] = {answer.media_type: {}}
    return described


def _reference(document: type) -> dict[str, Any]:
    return {"type": "object"} if document is dict else {"$ref": REFERENCE.format(name=document.__name__)}


def _schemas() -> dict[str, Any]:
    """Return the schemas of all documents by their names, with those that they consist of."""
    _, schemas = msgspec.json.schema_components(list(dict.fromkeys(_documents())), ref_template=REFERENCE)
    for schema in schemas.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    # They are encoded once for all clients, so that the type does not tell what they are.
    schemas["Events"]["properties"]["events"]["items"] = {"oneOf": [_reference(each) for each in EVENTS]}
    return schemas


def _documents() -> Iterator[type]:
    yield from (*EVENTS, PreviewEvent, Events)
    for operation in OPERATIONS:
        if operation.body is not None:
            yield operation.body
        for answer in answers_of(operation).values():
            yield from (each for each in answer.documents if each is not dict)
