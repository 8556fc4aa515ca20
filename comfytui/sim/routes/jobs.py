"""Routes for the history and for `/api/jobs`."""

import json
from typing import TYPE_CHECKING, Any

from aiohttp import web

from comfytui.sim.routes.job_list import BadQueryError, list_jobs, one_job
from comfytui.sim.submit import is_canonical

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes for history and jobs."""
    return [*_history_routes(server), *_job_routes(server)]


def _history_routes(server: "SimServer") -> list[web.RouteDef]:
    async def get_history(request: web.Request) -> web.Response:
        max_items = request.rel_url.query.get("max_items")
        offset = int(request.rel_url.query.get("offset", -1)) if server.config.capabilities.history_offset else -1
        page = server.queue.history_page(None if max_items is None else int(max_items), offset)
        return web.json_response(page)

    async def get_one(request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        entry = server.queue.history.get(prompt_id)
        return web.json_response({} if entry is None else {prompt_id: entry})

    async def post_history(request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("clear"):
            server.queue.history.clear()
        for prompt_id in body.get("delete", ()):
            server.queue.history.pop(prompt_id, None)
        return web.Response()

    return [
        web.get("/history", get_history),
        web.get("/history/{prompt_id}", get_one),
        web.post("/history", post_history),
    ]


def _job_routes(server: "SimServer") -> list[web.RouteDef]:
    async def get_jobs(request: web.Request) -> web.Response:
        try:
            return web.json_response(list_jobs(server.queue, request.rel_url.query))
        except BadQueryError as exc:
            return web.json_response({"error": str(exc)}, status=400)

    async def get_job(request: web.Request) -> web.Response:
        queued_graphs = server.config.capabilities.queued_graphs
        job = one_job(server.queue, request.match_info["job_id"], queued_graphs=queued_graphs)
        return web.json_response({"error": "Job not found"}, status=404) if job is None else web.json_response(job)

    async def cancel_one(request: web.Request) -> web.Response:
        return web.json_response({"cancelled": cancel(server, request.match_info["job_id"])})

    async def cancel_several(request: web.Request) -> web.Response:
        try:
            body: Any = await request.json()
        except json.JSONDecodeError:
            return web.json_response({"error": "Request body must be valid JSON"}, status=400)
        ids = body.get("job_ids") if isinstance(body, dict) else None
        if not isinstance(ids, list):
            return web.json_response({"error": "job_ids must be a list"}, status=400)
        if invalid := [id_ if isinstance(id_, str) else repr(id_) for id_ in ids if not is_canonical(id_)]:
            return web.json_response({"error": "job_ids contains invalid id(s)", "invalid_ids": invalid}, status=400)
        cancelled = [id_ for id_ in ids if cancel(server, id_)]
        return web.json_response({"cancelled": bool(cancelled)})

    # In ComfyUI, too, these paths start with /api, so that they also exist under /api/api.
    reading = [web.get("/api/jobs", get_jobs), web.get("/api/jobs/{job_id}", get_job)]
    cancelling = [
        web.post("/api/jobs/cancel", cancel_several),
        web.post("/api/jobs/{job_id}/cancel", cancel_one),
    ]
    capabilities = server.config.capabilities
    return [*(reading if capabilities.jobs else ()), *(cancelling if capabilities.atomic_cancel else ())]


def cancel(server: "SimServer", prompt_id: str) -> bool:
    """Interrupt a running job or remove a pending one.

    Returns:
        False if the job is neither running nor pending.
    """
    if server.queue.is_running(prompt_id):
        server.logs.info(f"Cancelling running prompt {prompt_id}")
        server.machine.interrupted.add(prompt_id)
        return True
    if not any(item[1] == prompt_id for item in server.queue.pending):
        return False
    server.logs.info(f"Cancelling pending prompt {prompt_id}")
    return server.queue.delete(prompt_id)
