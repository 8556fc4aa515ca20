"""Routes for the templates of ComfyUI's editor and of packs of nodes."""

from typing import TYPE_CHECKING

from aiohttp import web

from comfytui.sim.workflows import PACK_TEMPLATES, template_index, workflow_file

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the route that lists the templates of packs."""

    async def get_packs(_: web.Request) -> web.Response:
        return web.json_response(PACK_TEMPLATES if server.config.has_workflows else {})

    return [web.get("/workflow_templates", get_packs)]


def file_routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes for files, which exist once: those of the editor at the root, those of packs below `/api`."""

    async def get_template(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        listed = {template["name"] for group in template_index() for template in group["templates"]}
        if not server.config.has_workflows or not (name == "index" or name in listed):
            return web.Response(status=404, content_type="application/octet-stream")
        return web.json_response(template_index()) if name == "index" else _file(name)

    async def get_pack_template(request: web.Request) -> web.Response:
        pack, name = request.match_info["pack"], request.match_info["name"]
        has_it = server.config.has_workflows and name in PACK_TEMPLATES.get(pack, ())
        return _file(name) if has_it else web.Response(status=404)

    return [
        web.get("/templates/{name}.json", get_template),
        web.get("/api/workflow_templates/{pack}/{name}.json", get_pack_template),
    ]


def _file(name: str) -> web.Response:
    return web.Response(body=workflow_file(name), content_type="application/json")
