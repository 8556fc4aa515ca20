"""Graphs in the Flux style: guidance on the conditioning, no real negative."""

from tests.workflow.graphs import Graph, node


def custom_sampler() -> Graph:
    """SamplerCustomAdvanced with noise, guider, sampler and sigmas from nodes of their own."""
    return {
        "6": node("CLIPTextEncode", text="a glass teapot", clip=["11", 0]),
        "8": node("VAEDecode", samples=["13", 0], vae=["10", 0]),
        "9": node("SaveImage", filename_prefix="flux", images=["8", 0]),
        "10": node("VAELoader", vae_name="ae.safetensors"),
        "11": node("DualCLIPLoader", clip_name1="t5xxl", clip_name2="clip_l", type="flux"),
        "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "13": node(
            "SamplerCustomAdvanced",
            noise=["25", 0],
            guider=["22", 0],
            sampler=["16", 0],
            sigmas=["17", 0],
            latent_image=["27", 0],
        ),
        "16": node("KSamplerSelect", sampler_name="euler"),
        "17": node("BasicScheduler", model=["30", 0], scheduler="simple", steps=28, denoise=1.0),
        "22": node("BasicGuider", model=["30", 0], conditioning=["26", 0]),
        "25": node("RandomNoise", noise_seed=219670278747233),
        "26": node("FluxGuidance", conditioning=["6", 0], guidance=3.5),
        "27": node("EmptySD3LatentImage", width=1024, height=768, batch_size=1),
        "30": node("ModelSamplingFlux", model=["12", 0], max_shift=1.15, base_shift=0.5, width=1024, height=768),
    }


def with_cfg_guider() -> Graph:
    """The same with a negative prompt and a split schedule."""
    return {
        **custom_sampler(),
        "7": node("CLIPTextEncode", text="hands", clip=["11", 0]),
        "13": node(
            "SamplerCustomAdvanced",
            noise=["25", 0],
            guider=["22", 0],
            sampler=["16", 0],
            sigmas=["18", 1],
            latent_image=["27", 0],
        ),
        "18": node("SplitSigmas", sigmas=["17", 0], step=4),
        "22": node("CFGGuider", model=["30", 0], positive=["26", 0], negative=["7", 0], cfg=2.0),
    }


def with_two_prompts() -> Graph:
    """The same with a guider of two prompts and a negative."""
    guider = node(
        "DualCFGGuider",
        model=["30", 0],
        cond1=["26", 0],
        cond2=["6", 0],
        negative=["7", 0],
        cfg_conds=8.0,
        cfg_cond2_negative=8.0,
        style="regular",
    )
    return {**with_cfg_guider(), "22": guider}


def ksampler() -> Graph:
    """KSampler with a zeroed-out negative made of the prompt's own encoder, which has two texts."""
    return {
        "3": node(
            "KSampler",
            seed=5,
            steps=4,
            cfg=1.0,
            sampler_name="euler",
            scheduler="simple",
            denoise=1.0,
            model=["12", 0],
            positive=["26", 0],
            negative=["33", 0],
            latent_image=["27", 0],
        ),
        "6": node("CLIPTextEncodeFlux", clip_l="teapot", t5xxl="a glass teapot", guidance=2.5, clip=["11", 0]),
        "8": node("VAEDecode", samples=["3", 0], vae=["10", 0]),
        "9": node("SaveImage", filename_prefix="flux", images=["8", 0]),
        "10": node("VAELoader", vae_name="ae.safetensors"),
        "11": node("DualCLIPLoader", clip_name1="t5xxl", clip_name2="clip_l", type="flux"),
        "12": node("UnetLoaderGGUF", unet_name="flux1-schnell-Q4.gguf"),
        "26": node("FluxGuidance", conditioning=["6", 0], guidance=3.5),
        "27": node("EmptySD3LatentImage", width=512, height=512, batch_size=1),
        "33": node("ConditioningZeroOut", conditioning=["6", 0]),
    }
