"""The HTTP application: all routes of ComfyUI that a client like comfytui may call."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from comfytui.sim.routes import files, internal, jobs, models, templates, uploads, user_data
from comfytui.sim.routes.origin_check import reject_cross_origin
from comfytui.sim.routes.system_stats import system_stats
from comfytui.sim.sockets import FEATURES

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ComfyUI</title></head>
<body><div id="vue-app">This is a simulated ComfyUI: it has no frontend.</div></body></html>
"""
NO_STORE = {"Cache-Control": "no-store, must-revalidate", "Pragma": "no-cache", "Expires": "0"}


def make_app(server: "SimServer") -> web.Application:
    """Return the application; all routes but `/internal` also exist under `/api`."""
    origin_check = reject_cross_origin(server.logs, cross_site=server.config.capabilities.refuses_cross_site)
    app = web.Application(
        client_max_size=FEATURES["max_upload_size"], middlewares=[server.faults.middleware(), origin_check]
    )
    internal_app = web.Application()
    internal_app.add_routes(internal.routes(server))
    app.add_subapp("/internal", internal_app)
    routes = [
        *_queue_routes(server),
        *_server_routes(server),
        *jobs.routes(server),
        *files.routes(server),
        *models.routes(server),
        *templates.routes(server),
        *uploads.routes(server),
        *user_data.routes(server),
    ]
    for prefix in ("/api", ""):
        app.add_routes([web.route(route.method, prefix + route.path, route.handler) for route in routes])
    app.add_routes([*templates.file_routes(server), web.get("/{path:.*}", _answer_no_file)])
    return app


def _queue_routes(server: "SimServer") -> list[web.RouteDef]:
    async def get_prompt(_: web.Request) -> web.Response:
        return web.json_response(server.sockets.status())

    async def post_prompt(request: web.Request) -> web.Response:
        server.logs.info("got prompt")
        body = await request.json()
        status, response = server.submissions.submit(body)
        if status == HTTPStatus.OK:
            server.accepted.append(body)
        return web.json_response(response, status=status)

    async def get_queue(_: web.Request) -> web.Response:
        running, pending = server.queue.snapshot()
        return web.json_response({"queue_running": running, "queue_pending": pending})

    async def post_queue(request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("clear"):
            server.queue.clear()
        for prompt_id in body.get("delete", ()):
            server.queue.delete(prompt_id)
        return web.Response()

    async def post_interrupt(request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except json.JSONDecodeError:
            body = {}
        prompt_id = body.get("prompt_id") if server.config.capabilities.targeted_interrupt else None
        if not prompt_id:
            server.logs.info("Global interrupt (no prompt_id specified)")
            server.machine.interrupted.update(item[1] for item in server.queue.running)
        elif server.queue.is_running(prompt_id):
            server.logs.info(f"Interrupting prompt {prompt_id}")
            server.machine.interrupted.add(prompt_id)
        else:
            server.logs.info(f"Prompt {prompt_id} is not currently running, skipping interrupt")
        return web.Response()

    return [
        web.get("/prompt", get_prompt),
        web.post("/prompt", post_prompt),
        web.get("/queue", get_queue),
        web.post("/queue", post_queue),
        web.post("/interrupt", post_interrupt),
    ]


def _server_routes(server: "SimServer") -> list[web.RouteDef]:
    async def get_stats(_: web.Request) -> web.Response:
        return web.json_response(system_stats(server.config, server.machine.memory, server.url))

    async def post_free(request: web.Request) -> web.Response:
        body = await request.json()
        server.executor.free(bool(body.get("unload_models")), bool(body.get("free_memory")))
        return web.Response()

    features = [web.get("/features", _constant(FEATURES))] if server.config.capabilities.feature_flags else []
    return [
        *features,
        web.get("/", _answer_page),
        web.get("/ws", server.sockets.handle),
        web.get("/system_stats", get_stats),
        web.get("/users", _constant({"storage": "server", "migrated": True})),
        web.get("/settings", _constant({})),
        web.post("/free", post_free),
    ]


async def _answer_page(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html", headers=NO_STORE)


async def _answer_no_file(_: web.Request) -> web.Response:
    """Respond like the handler of the editor's files, which takes every path that nothing else does."""
    return web.Response(status=404, content_type="application/octet-stream")


def _constant(body: object) -> Handler:
    async def respond(_: web.Request) -> web.Response:
        return web.json_response(body)

    return respond
