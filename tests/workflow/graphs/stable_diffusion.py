"""Graphs around KSampler and KSamplerAdvanced."""

from tests.workflow.graphs import Graph, node


def sd15() -> Graph:
    return {
        "3": node(
            "KSampler",
            seed=1,
            steps=20,
            cfg=7.5,
            sampler_name="euler",
            scheduler="normal",
            denoise=1.0,
            model=["4", 0],
            positive=["6", 0],
            negative=["7", 0],
            latent_image=["5", 0],
        ),
        "4": node("CheckpointLoaderSimple", ckpt_name="v1-5.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=2),
        "6": node("CLIPTextEncode", text="a red fox in snow", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="fox", images=["8", 0]),
    }


def hires() -> Graph:
    """A second sampler over an enlarged latent; it is first in the file, since the order of nodes means nothing."""
    first = sd15()
    second = {**first["3"]["inputs"], "seed": 7, "steps": 12, "denoise": 0.5, "latent_image": ["10", 0]}
    return {
        "1": node("KSampler", **second),
        **first,
        "8": node("VAEDecode", samples=["1", 0], vae=["4", 2]),
        "10": node(
            "LatentUpscale", samples=["3", 0], upscale_method="bislerp", width=1024, height=1536, crop="disabled"
        ),
    }


def base_and_refiner() -> Graph:
    """SDXL: the refiner has a loader and encoders of its own, with the same texts, and finishes the base's schedule."""

    def sampler(model: str, positive: str, negative: str, latent: str, **own: object) -> dict[str, object]:
        common = {"steps": 25, "cfg": 8.0, "sampler_name": "euler", "scheduler": "karras"}
        links = {"model": [model, 0], "positive": [positive, 0], "negative": [negative, 0], "latent_image": [latent, 0]}
        return node("KSamplerAdvanced", **common, **links, **own)

    def encoder(text: str) -> dict[str, object]:
        return node("CLIPTextEncode", text=text, clip=["12", 1])

    return {
        "4": node("CheckpointLoaderSimple", ckpt_name="sd_xl_base_1.0.safetensors"),
        "5": node("EmptyLatentImage", width=1024, height=1024, batch_size=1),
        "6": node(
            "CLIPTextEncodeSDXL", text_g="harbour at dusk", text_l="harbour", width=4096, height=4096, clip=["4", 1]
        ),
        "7": node("CLIPTextEncode", text="text", clip=["4", 1]),
        "10": sampler("4", "6", "7", "5", add_noise="enable", noise_seed=11, start_at_step=0, end_at_step=20),
        "11": sampler("12", "15", "16", "10", add_noise="disable", noise_seed=0, start_at_step=20, end_at_step=10000),
        "12": node("CheckpointLoaderSimple", ckpt_name="sd_xl_refiner_1.0.safetensors"),
        "15": encoder("harbour at dusk"),
        "16": encoder("text"),
        "17": node("VAEDecode", samples=["11", 0], vae=["12", 2]),
        "19": node("SaveImage", filename_prefix="sdxl", images=["17", 0]),
    }


def controlled() -> Graph:
    """LoRAs before the sampler, a ControlNet and a region on the way to the prompt, value nodes, ids of subgraphs."""
    return {
        "12:3": {**sd15()["3"], "inputs": {**sd15()["3"]["inputs"], **_controlled_links()}},
        "4": node("CheckpointLoaderSimple", ckpt_name="v1-5.safetensors"),
        "12:20": node("LoraLoader", model=["4", 0], clip=["4", 1], lora_name="a", strength_model=1, strength_clip=1),
        "12:21": node("LoraLoaderModelOnly", model=["12:20", 0], lora_name="b", strength_model=1),
        "12:5": node("EmptyLatentImage", width=["40", 0], height=["41", 0], batch_size=1),
        "40": node("PrimitiveInt", value=640),
        "41": node("PrimitiveInt", value=448),
        "50": node("Seed (rgthree)", seed=4),
        "12:30": node(
            "ControlNetApplyAdvanced",
            positive=["12:31", 0],
            negative=["7", 0],
            control_net=["33", 0],
            image=["34", 0],
            strength=0.8,
        ),
        "12:31": node("ConditioningCombine", conditioning_1=["12:32", 0], conditioning_2=["36", 0]),
        "12:32": node("Reroute", any=["6", 0]),
        "33": node("ControlNetLoader", control_net_name="depth"),
        "34": node("LoadImage", image="depth.png"),
        "6": node("CLIPTextEncode", text=["35", 0], clip=["12:20", 1]),
        "35": node("StringConcatenate", string_a=["37", 0], string_b=", film grain", delimiter=""),
        "37": node("PrimitiveStringMultiline", value="a quiet street"),
        "36": node("CLIPTextEncode", text="a lantern at the left", clip=["12:20", 1]),
        "7": node("CLIPTextEncode", text="people", clip=["12:20", 1]),
        "8": node("VAEDecode", samples=["12:3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="street", images=["8", 0]),
    }


def _controlled_links() -> Graph:
    return {
        "model": ["12:21", 0],
        "positive": ["12:30", 0],
        "negative": ["12:30", 1],
        "latent_image": ["12:5", 0],
        "seed": ["50", 0],
    }
