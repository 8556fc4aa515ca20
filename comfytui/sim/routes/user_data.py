"""Routes for the files that the editor saves for its user: `/userdata`."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from comfytui.sim.files import clean_folder, escapes

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer

Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes that list, read, save, move and delete the user's files."""
    return [*_listing_routes(server), *_file_routes(server)]


def _listing_routes(server: "SimServer") -> list[web.RouteDef]:
    async def get_list(request: web.Request) -> web.Response:
        query = request.rel_url.query
        folder = query.get("dir", "")
        if not folder:
            return web.Response(status=400, text="Directory not provided")
        if escapes(folder):
            return web.Response(status=403, text="Invalid directory")
        folder = clean_folder(folder)
        if not server.user_data.is_folder(folder):
            return web.Response(status=404, text="Directory not found")
        paths = server.user_data.below(folder, recurse=_is_true(query.get("recurse", "")))
        if _is_true(query.get("full_info", "")):
            inside = [f"{folder}/{path}" if folder else path for path in paths]
            return web.json_response([server.user_data.info(path, folder) for path in inside])
        if _is_true(query.get("split", "")):
            return web.json_response([[path, *path.split("/")] for path in paths])
        return web.json_response(paths)

    async def get_tree(request: web.Request) -> web.Response:
        folder = request.rel_url.query.get("path", "")
        if escapes(folder):
            return web.Response(status=403, text="Invalid path requested")
        folder = clean_folder(folder)
        if not server.user_data.is_folder(folder):
            return web.Response(status=404, text="Requested path not found")
        return web.json_response(server.user_data.tree(folder))

    return [web.get("/userdata", get_list), web.get("/v2/userdata", get_tree)]


def _file_routes(server: "SimServer") -> list[web.RouteDef]:
    async def get_file(path: str, _: web.Request) -> web.Response:
        if path not in server.user_data.files:
            return web.Response(status=404)
        return web.Response(body=server.user_data.files[path].content, content_type="application/json")

    async def post_file(path: str, request: web.Request) -> web.Response:
        query = request.query
        if query.get("overwrite", "true") == "false" and path in server.user_data.files:
            return web.Response(status=409, text="File already exists")
        server.user_data.save(path, await request.read())
        return web.json_response(server.user_data.info(path) if _is_true(query.get("full_info", "")) else path)

    async def delete_file(path: str, _: web.Request) -> web.Response:
        if server.user_data.files.pop(path, None) is None:
            return web.Response(status=404)
        return web.Response(status=HTTPStatus.NO_CONTENT)

    return [
        web.get("/userdata/{file}", _with_path(get_file)),
        web.post("/userdata/{file}", _with_path(post_file)),
        web.delete("/userdata/{file}", _with_path(delete_file)),
    ]


def _with_path(handler: Callable[[str, web.Request], Awaitable[web.Response]]) -> Handler:
    """Return a handler that passes on the path of the file, of which an escaped slash is a part."""

    async def respond(request: web.Request) -> web.Response:
        path = request.match_info["file"]
        return web.Response(status=403) if escapes(path) else await handler(clean_folder(path), request)

    return respond


def _is_true(value: str) -> bool:
    return value.lower() == "true"
