"""Simulated clients that queue jobs of their own."""

import asyncio
import random
import uuid
from typing import Any

from comfytui.sim.config import SimConfig
from comfytui.sim.queue import PromptQueue
from comfytui.sim.submit import Submissions

SUBJECTS = ("a lighthouse", "an old harbour", "a mountain hut", "a samurai", "a cat on a roof", "a city in the rain")
LIGHTS = ("at dawn", "at sunset", "in the fog", "under northern lights", "in deep winter")


async def run_other_client(submissions: Submissions, queue: PromptQueue, config: SimConfig, number: int) -> None:
    """Queue jobs of one client in random intervals, one at a time, forever.

    Args:
        submissions: Accepts the jobs.
        queue: Holds the client's last job until it has ended.
        config: Has the pause between jobs and the checkpoints to use.
        number: Distinguishes this client's random choices from those of the others.
    """
    rng = random.Random(f"{config.seed}/other/{number}")
    client_id = uuid.UUID(int=rng.getrandbits(128), version=4).hex
    while True:
        await asyncio.sleep(rng.uniform(*config.other_client_pause))
        running, pending = queue.snapshot()
        has_job = any(item[3].get("client_id") == client_id for item in (*running, *pending))
        if not has_job and config.checkpoints:
            submissions.logs.info("got prompt")
            submissions.submit({"prompt": _graph(rng, config), "client_id": client_id})


def _graph(rng: random.Random, config: SimConfig) -> dict[str, Any]:
    width, height = rng.choice(((512, 768), (768, 512), (1024, 1024)))
    sampling: dict[str, Any] = {
        "seed": rng.getrandbits(48),
        "steps": rng.choice((12, 20, 30)),
        "cfg": 7.0,
        "denoise": 1.0,
    }
    sampling |= {"sampler_name": "dpmpp_2m", "scheduler": "karras"}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "3": ("KSampler", {**sampling, **links}),
        "4": ("CheckpointLoaderSimple", {"ckpt_name": rng.choice(config.checkpoints)}),
        "5": ("EmptyLatentImage", {"width": width, "height": height, "batch_size": 1}),
        "6": ("CLIPTextEncode", {"text": f"{rng.choice(SUBJECTS)} {rng.choice(LIGHTS)}", "clip": ["4", 1]}),
        "7": ("CLIPTextEncode", {"text": "blurry, low quality", "clip": ["4", 1]}),
        "8": ("VAEDecode", {"samples": ["3", 0], "vae": ["4", 2]}),
        "9": ("SaveImage", {"filename_prefix": "ComfyUI", "images": ["8", 0]}),
    }
    return {node_id: {"class_type": kind, "inputs": inputs} for node_id, (kind, inputs) in nodes.items()}
