"""Graphs with nodes of extensions, with nodes that do everything at once, and without a sampler."""

from tests.workflow.graphs import Graph, node
from tests.workflow.graphs.stable_diffusion import sd15


def no_sampler() -> Graph:
    return {
        "1": node("LoadImage", image="example.png"),
        "2": node("ImageInvert", image=["1", 0]),
        "3": node("SaveImage", filename_prefix="inverted", images=["2", 0]),
    }


def only_a_seed() -> Graph:
    return {**no_sampler(), "2": node("AddGrain", image=["1", 0], seed=3, strength=0.1)}


def all_in_one() -> Graph:
    return {
        "1": node("LabSampler", seed=9, steps=6, delay_ms=30, text="a red fox", width=64, height=96, batch_size=3),
        "2": node("SaveImage", filename_prefix="lab", images=["1", 0]),
    }


def efficient() -> Graph:
    """A loader that also takes the texts, and a sampler of an unknown class."""
    return {
        "1": node(
            "Efficient Loader",
            ckpt_name="v1-5.safetensors",
            positive="an owl",
            negative="daylight",
            empty_latent_width=512,
            empty_latent_height=512,
            batch_size=1,
        ),
        "2": node(
            "KSampler (Efficient)",
            seed=2,
            steps=15,
            cfg=6.0,
            sampler_name="dpmpp_2m",
            scheduler="karras",
            model=["1", 0],
            positive=["1", 1],
            negative=["1", 2],
            latent_image=["1", 3],
        ),
        "3": node("SaveImage", filename_prefix="owl", images=["2", 5]),
    }


def wildcards() -> Graph:
    """A node that randomises the prompt has a seed of its own, and another one displays the result; no negative."""
    graph = sd15()
    graph["3"]["inputs"]["negative"] = graph["3"]["inputs"]["positive"]
    graph["6"]["inputs"]["text"] = ["21", 0]
    graph["20"] = node("DPRandomGenerator", text="a {red|grey} fox", seed=77, autorefresh="No")
    graph["21"] = node("ShowText|pysssss", text=["20", 0], text_0="a grey fox")
    return graph


def image_to_image() -> Graph:
    """The size comes from scaling an image; a second sampler is unused."""
    graph = {"0": sd15()["3"], **sd15()}
    graph["3"]["inputs"] |= {"latent_image": ["11", 0], "steps": 9}
    graph["10"] = node("LoadImage", image="fox.png")
    graph["11"] = node("VAEEncode", pixels=["12", 0], vae=["4", 2])
    graph["12"] = node("ImageScale", image=["10", 0], upscale_method="area", width=800, height=600, crop="center")
    return graph
