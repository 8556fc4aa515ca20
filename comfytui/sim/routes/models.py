"""Routes for models and node types."""

from typing import TYPE_CHECKING

from aiohttp import web

from comfytui.sim.catalogue import catalogue
from comfytui.sim.catalogue.lora_metadata import METADATA

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
        "controlnet": config.controlnets,
        "embeddings": config.embeddings,
    }

    async def get_folders(_: web.Request) -> web.Response:
        return web.json_response(FOLDERS)

    async def get_models(request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        return web.json_response(contents.get(folder, ())) if folder in FOLDERS else web.Response(status=404)

    async def get_embeddings(_: web.Request) -> web.Response:
        return web.json_response([name.rpartition(".")[0] for name in config.embeddings])

    async def get_metadata(request: web.Request) -> web.Response:
        folder, name = request.match_info["folder"], request.rel_url.query.get("filename", "")
        # ComfyUI reads safetensors files only, and has a 404 as well for those without metadata.
        metadata = METADATA.get(name) if name in contents.get(folder, ()) else None
        return web.Response(status=404) if metadata is None else web.json_response(metadata)

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
        web.get("/view_metadata/{folder}", get_metadata),
        web.get("/object_info", get_all),
        web.get("/object_info/{node_class}", get_one),
    ]
