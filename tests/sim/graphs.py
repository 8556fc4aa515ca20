"""Graphs for the tests of the simulated server."""

from typing import Any

Graph = dict[str, dict[str, Any]]


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def text_to_image(
    seed: int = 1, steps: int = 2, size: int = 64, text: str = "a red fox in snow", prefix: str = "test"
) -> Graph:
    """Return the usual text-to-image graph."""
    sampling = {"seed": seed, "steps": steps, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
    links = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
    return {
        "3": node("KSampler", **sampling, **links),
        "4": node("CheckpointLoaderSimple", ckpt_name="sd_xl_base_1.0.safetensors"),
        "5": node("EmptyLatentImage", width=size, height=size, batch_size=1),
        "6": node("CLIPTextEncode", text=text, clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix=prefix, images=["8", 0]),
    }


def two_seeds() -> Graph:
    """Return a graph whose second sampler, with seed 6, goes on where the first one ends, with seed 5."""
    graph = text_to_image(seed=5)
    graph["11"] = node("KSampler", **{**graph["3"]["inputs"], "seed": 6, "latent_image": ["3", 0]})
    graph["8"]["inputs"]["samples"] = ["11", 0]
    return graph


def flux(steps: int = 2) -> Graph:
    """Return a graph of modular sampling with separate files for diffusion model, text encoders and VAE."""
    return {
        "1": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "2": node(
            "DualCLIPLoader",
            clip_name1="t5xxl_fp8_e4m3fn.safetensors",
            clip_name2="clip_l.safetensors",
            type="flux",
        ),
        "3": node("VAELoader", vae_name="ae.safetensors"),
        "4": node("CLIPTextEncode", text="a lighthouse at night", clip=["2", 0]),
        "5": node("FluxGuidance", conditioning=["4", 0], guidance=3.5),
        "6": node("BasicGuider", model=["1", 0], conditioning=["5", 0]),
        "7": node("RandomNoise", noise_seed=7),
        "8": node("KSamplerSelect", sampler_name="euler"),
        "9": node("BasicScheduler", model=["1", 0], scheduler="simple", steps=steps, denoise=1),
        "10": node("EmptySD3LatentImage", width=64, height=96, batch_size=1),
        "11": node(
            "SamplerCustomAdvanced",
            noise=["7", 0],
            guider=["6", 0],
            sampler=["8", 0],
            sigmas=["9", 0],
            latent_image=["10", 0],
        ),
        "12": node("VAEDecode", samples=["11", 0], vae=["3", 0]),
        "13": node("SaveImage", filename_prefix="flux", images=["12", 0]),
    }


def inverted(image: str) -> Graph:
    """Return a graph without a sampler."""
    return {
        "1": node("LoadImage", image=image),
        "2": node("ImageInvert", image=["1", 0]),
        "3": node("ImageScale", image=["2", 0], upscale_method="lanczos", width=32, height=0, crop="disabled"),
        "4": node("PreviewImage", images=["3", 0]),
    }
