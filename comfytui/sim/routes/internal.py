"""Routes under `/internal`: the terminal output, and file names."""

from typing import TYPE_CHECKING

from aiohttp import web

from comfytui.sim.files import KINDS
from comfytui.sim.logs import COLUMNS, ROWS

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes for logs and files, without their prefix."""
    logs = server.logs

    async def get_logs(_: web.Request) -> web.Response:
        return web.json_response("".join(f"{entry['t']} - {entry['m']}" for entry in logs.entries))

    async def get_raw(_: web.Request) -> web.Response:
        logs.take_size()
        return web.json_response({"entries": list(logs.entries), "size": {"cols": COLUMNS, "rows": ROWS}})

    async def subscribe(request: web.Request) -> web.Response:
        body = await request.json()
        if body["enabled"]:
            logs.subscribers.add(body["clientId"])
        else:
            logs.subscribers.discard(body["clientId"])
        return web.Response()

    async def get_files(request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        if kind not in KINDS:
            return web.json_response({"error": "Invalid directory type"}, status=400)
        return web.json_response(server.files.newest(kind))

    return [
        web.get("/logs", get_logs),
        web.get("/logs/raw", get_raw),
        web.patch("/logs/subscribe", subscribe),
        web.get("/files/{kind}", get_files),
    ]
