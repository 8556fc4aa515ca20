"""The built-in workflow: text to image with any checkpoint."""

from typing import Final

from comfytui.workflow.graph import Workflow, workflow_of

NAME: Final = "txt2img"

SIZE: Final = 512
"""Width and height in pixels: 512 suits every checkpoint and GPU, while SD 1.5 repeats its subject at 1024."""


def txt2img() -> Workflow:
    """Return the built-in workflow; its model is empty, to be set to one of the server's checkpoints."""
    graph = {
        "3": {
            "class_type": "KSampler",
            "inputs": {
                "seed": 0,
                "steps": 20,
                "cfg": 7.0,
                "sampler_name": "euler",
                "scheduler": "normal",
                "denoise": 1.0,
                "model": ["4", 0],
                "positive": ["6", 0],
                "negative": ["7", 0],
                "latent_image": ["5", 0],
            },
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": ""}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": SIZE, "height": SIZE, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "comfytui", "images": ["8", 0]}},
    }
    return workflow_of(NAME, graph)
