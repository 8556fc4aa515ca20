"""A workflow in the editor's format that the simulator can run, and what it becomes."""

from typing import Any

from comfytui.sim.config import SimConfig

MODEL = SimConfig().checkpoints[0]
PREFIX = "editor"


def node(
    node_id: int, kind: str, values: list[Any], links: dict[str, int | None] | None = None, **more: Any
) -> dict[str, Any]:
    """Return a node as the editor saves it."""
    inputs = [{"name": name, "type": "*", "link": link} for name, link in (links or {}).items()]
    return {
        "id": node_id,
        "type": kind,
        "mode": 0,
        "inputs": inputs,
        "outputs": [],
        "properties": {"cnr_id": "comfy-core", "ver": "0.33.0"},
        "widgets_values": values,
        **more,
    }


def editor_txt2img(prompt: str = "a red fox", *, model: str = MODEL) -> dict[str, Any]:
    """Return text to image: small, in four steps, with the seed 7."""
    return {
        "version": 0.4,
        "last_node_id": 9,
        "last_link_id": 9,
        "nodes": [
            node(4, "CheckpointLoaderSimple", [model]),
            node(6, "CLIPTextEncode", [prompt], {"clip": 1}),
            node(7, "CLIPTextEncode", ["blurry"], {"clip": 2}),
            node(5, "EmptyLatentImage", [64, 64, 1]),
            node(
                3,
                "KSampler",
                [7, "randomize", 4, 7.0, "euler", "normal", 1.0],
                {"model": 3, "positive": 4, "negative": 5, "latent_image": 6},
            ),
            node(8, "VAEDecode", [], {"samples": 7, "vae": 8}),
            node(9, "SaveImage", [PREFIX], {"images": 9}),
            node(10, "Note", ["A text for people."]),
        ],
        "links": [
            [1, 4, 1, 6, 0, "CLIP"],
            [2, 4, 1, 7, 0, "CLIP"],
            [3, 4, 0, 3, 0, "MODEL"],
            [4, 6, 0, 3, 1, "CONDITIONING"],
            [5, 7, 0, 3, 2, "CONDITIONING"],
            [6, 5, 0, 3, 3, "LATENT"],
            [7, 3, 0, 8, 0, "LATENT"],
            [8, 4, 2, 8, 1, "VAE"],
            [9, 8, 0, 9, 0, "IMAGE"],
        ],
    }


def with_unknown_class(workflow: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow with one more node, whose class no server has."""
    return {**workflow, "nodes": [*workflow["nodes"], node(11, "NoSuchNode", [1], title="Sharpen")]}
