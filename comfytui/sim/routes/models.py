"""Routes for models and node types."""

from typing import TYPE_CHECKING

from aiohttp import web

from comfytui.sim.catalogue import catalogue

if TYPE_CHECKING:
    from comfytui.sim.server import SimServer

FOLDERS = (
    *("checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models", "clip_vision", "style_models"),
    *("embeddings", "diffusers", "vae_approx", "controlnet", "gligen", "upscale_models", "latent_upscale_models"),
    *("custom_nodes", "datasets", "hypernetworks", "photomaker", "classifiers", "model_patches", "audio_encoders"),
    *("background_removal", "frame_interpolation", "geometry_estimation", "optical_flow", "detection"),
)


def routes(server: "SimServer") -> list[web.RouteDef]:
    """Return the routes for models and node types."""
    config = server.config
    contents = {
        "checkpoints": config.checkpoints,
        "loras": config.loras,
        "vae": config.vae,
        "text_encoders": config.text_encoders,
        "diffusion_models": config.diffusion_models,
    }

    async def get_folders(_: web.Request) -> web.Response:
        return web.json_response(FOLDERS)

    async def get_models(request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        return web.json_response(contents.get(folder, ())) if folder in FOLDERS else web.Response(status=404)

    async def get_embeddings(_: web.Request) -> web.Response:
        return web.json_response([])

    async def get_all(_: web.Request) -> web.Response:
        nodes = catalogue(config, server.files.uploads())
        return web.json_response({name: node.info() for name, node in nodes.items()})

    async def get_one(request: web.Request) -> web.Response:
        name = request.match_info["node_class"]
        node = catalogue(config, server.files.uploads()).get(name)
        return web.json_response({} if node is None else {name: node.info()})

    return [
        web.get("/models", get_folders),
        web.get("/models/{folder}", get_models),
        web.get("/embeddings", get_embeddings),
        web.get("/object_info", get_all),
        web.get("/object_info/{node_class}", get_one),
    ]
