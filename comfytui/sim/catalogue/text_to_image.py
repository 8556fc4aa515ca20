"""Node types of a plain text-to-image graph: conditioning, latents and samplers."""

from comfytui.sim.catalogue.node_types import MAX_RESOLUTION, MAX_SEED, NodeType, choice, decimal, integer, tip

LATENT_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "bislerp")
CROPS = ("disabled", "center")
SWITCH = ("enable", "disable")
SAMPLERS = (
    *("euler", "euler_cfg_pp", "euler_ancestral", "euler_ancestral_cfg_pp", "heun", "heunpp2", "exp_heun_2_x0"),
    *("exp_heun_2_x0_sde", "dpm_2", "dpm_2_ancestral", "lms", "dpm_fast", "dpm_adaptive", "dpmpp_2s_ancestral"),
    *("dpmpp_2s_ancestral_cfg_pp", "dpmpp_sde", "dpmpp_sde_gpu", "dpmpp_2m", "dpmpp_2m_cfg_pp", "dpmpp_2m_sde"),
    *("dpmpp_2m_sde_gpu", "dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu", "dpmpp_3m_sde", "dpmpp_3m_sde_gpu", "ddpm"),
    *("lcm", "ipndm", "ipndm_v", "deis", "res_multistep", "res_multistep_cfg_pp", "res_multistep_ancestral"),
    *("res_multistep_ancestral_cfg_pp", "gradient_estimation", "gradient_estimation_cfg_pp", "er_sde", "seeds_2"),
    *("seeds_3", "sa_solver", "sa_solver_pece", "ddim", "uni_pc", "uni_pc_bh2"),
)
"""The samplers of ComfyUI 0.33.0."""
SCHEDULERS = (
    *("simple", "sgm_uniform", "karras", "exponential", "ddim_uniform", "beta", "normal"),
    *("linear_quadratic", "kl_optimal"),
)
"""The schedulers of ComfyUI 0.33.0."""


def conditioning() -> list[NodeType]:
    """Return the nodes that turn text into conditioning."""
    return [
        NodeType(
            "CLIPTextEncode",
            "CLIP Text Encode (Prompt)",
            "model/conditioning",
            ("CONDITIONING",),
            {
                "text": ("STRING", {"multiline": True, "dynamicPrompts": True, "tooltip": "The text to be encoded."}),
                "clip": tip("CLIP", "The CLIP model used for encoding the text."),
            },
            output_tooltips=("A conditioning containing the embedded text used to guide the diffusion model.",),
            description="Encodes a text prompt using a CLIP model into an embedding that can be used to guide the "
            "diffusion model towards generating specific images.",
            aliases=(
                *("text", "prompt", "text prompt", "positive prompt", "negative prompt"),
                *("encode text", "text encoder", "encode prompt"),
            ),
        ),
        NodeType(
            "ControlNetApplyAdvanced",
            "Apply ControlNet",
            "model/conditioning/controlnet",
            ("CONDITIONING", "CONDITIONING"),
            {
                "positive": ("CONDITIONING",),
                "negative": ("CONDITIONING",),
                "control_net": ("CONTROL_NET",),
                "image": ("IMAGE",),
                "strength": decimal(1.0, 0.0, 10.0, 0.01),
                "start_percent": decimal(0.0, 0.0, 1.0, 0.001),
                "end_percent": decimal(1.0, 0.0, 1.0, 0.001),
            },
            {"vae": ("VAE",)},
            output_names=("positive", "negative"),
        ),
    ]


def latents() -> list[NodeType]:
    """Return the nodes that create, scale, encode and decode latents."""
    batch = integer(1, 1, 4096, tooltip="The number of latent images in the batch.")
    return [
        NodeType(
            "EmptyLatentImage",
            "Empty Latent Image",
            "model/latent",
            ("LATENT",),
            {
                "width": integer(512, 16, MAX_RESOLUTION, step=8, tooltip="The width of the latent images in pixels."),
                "height": integer(
                    512, 16, MAX_RESOLUTION, step=8, tooltip="The height of the latent images in pixels."
                ),
                "batch_size": batch,
            },
            output_tooltips=("The empty latent image batch.",),
            description="Create a new batch of empty latent images to be denoised via sampling.",
            aliases=("empty", "empty latent", "new latent", "create latent", "blank latent", "blank"),
        ),
        NodeType(
            "LatentUpscale",
            "Upscale Latent",
            "model/latent",
            ("LATENT",),
            {
                "samples": ("LATENT",),
                "upscale_method": choice(LATENT_METHODS),
                "width": integer(512, 0, MAX_RESOLUTION, step=8),
                "height": integer(512, 0, MAX_RESOLUTION, step=8),
                "crop": choice(CROPS),
            },
        ),
        NodeType(
            "VAEDecode",
            "VAE Decode",
            "model/latent",
            ("IMAGE",),
            {
                "samples": tip("LATENT", "The latent to be decoded."),
                "vae": tip("VAE", "The VAE model used for decoding the latent."),
            },
            output_tooltips=("The decoded image.",),
            description="Decodes latent images back into pixel space images.",
            aliases=("decode", "decode latent", "latent to image", "render latent"),
        ),
        NodeType(
            "VAEEncode",
            "VAE Encode",
            "model/latent",
            ("LATENT",),
            {"pixels": ("IMAGE",), "vae": ("VAE",)},
            aliases=("encode", "encode image", "image to latent"),
        ),
        NodeType(
            "SetLatentNoiseMask",
            "Set Latent Noise Mask",
            "model/latent",
            ("LATENT",),
            {"samples": ("LATENT",), "mask": ("MASK",)},
        ),
    ]


SEED = integer(0, 0, MAX_SEED, control_after_generate=True)


def samplers() -> list[NodeType]:
    """Return KSampler and KSamplerAdvanced."""
    return [_ksampler(), _ksampler_advanced()]


def _ksampler() -> NodeType:
    return NodeType(
        "KSampler",
        "KSampler",
        "model/sampling",
        ("LATENT",),
        {
            "model": tip("MODEL", "The model used for denoising the input latent."),
            "seed": ("INT", {**SEED[1], "tooltip": "The random seed used for creating the noise."}),
            "steps": integer(20, 1, 10000, tooltip="The number of steps used in the denoising process."),
            "cfg": decimal(
                *(8.0, 0.0, 100.0, 0.1),
                round=0.01,
                tooltip="The Classifier-Free Guidance scale balances creativity and adherence to the prompt. "
                "Higher values result in images more closely matching the prompt however too high values will "
                "negatively impact quality.",
            ),
            "sampler_name": choice(
                SAMPLERS,
                "The algorithm used when sampling, this can affect the quality, speed, and style of the generated "
                "output.",
            ),
            "scheduler": choice(SCHEDULERS, "The scheduler controls how noise is gradually removed to form the image."),
            "positive": tip(
                "CONDITIONING", "The conditioning describing the attributes you want to include in the image."
            ),
            "negative": tip(
                "CONDITIONING", "The conditioning describing the attributes you want to exclude from the image."
            ),
            "latent_image": tip("LATENT", "The latent image to denoise."),
            "denoise": decimal(
                *(1.0, 0.0, 1.0, 0.01),
                tooltip="The amount of denoising applied, lower values will maintain the structure of the initial "
                "image allowing for image to image sampling.",
            ),
        },
        output_tooltips=("The denoised latent.",),
        description="Uses the provided model, positive and negative conditioning to denoise the latent image.",
        aliases=("sampler", "sample", "generate", "denoise", "diffuse", "txt2img", "img2img"),
    )


def _ksampler_advanced() -> NodeType:
    return NodeType(
        "KSamplerAdvanced",
        "KSampler (Advanced)",
        "model/sampling",
        ("LATENT",),
        {
            "model": ("MODEL",),
            "add_noise": (list(SWITCH), {"advanced": True}),
            "noise_seed": SEED,
            "steps": integer(20, 1, 10000),
            "cfg": decimal(8.0, 0.0, 100.0, 0.1, round=0.01),
            "sampler_name": choice(SAMPLERS),
            "scheduler": choice(SCHEDULERS),
            "positive": ("CONDITIONING",),
            "negative": ("CONDITIONING",),
            "latent_image": ("LATENT",),
            "start_at_step": integer(0, 0, 10000, advanced=True),
            "end_at_step": integer(10000, 0, 10000, advanced=True),
            "return_with_leftover_noise": (list(reversed(SWITCH)), {"advanced": True}),
        },
    )
