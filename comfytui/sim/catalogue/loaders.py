"""Node types that load models, and those that change a loaded one."""

from comfytui.sim.catalogue.node_types import InputSpec, NodeType, choice, decimal, integer, tip
from comfytui.sim.config import SimConfig

DUAL_TYPES = (
    *("sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image", "hunyuan_video_15", "kandinsky5"),
    *("kandinsky5_image", "ltxv", "newbie", "ace"),
)
"""The pairs of text encoders that ComfyUI 0.33.0 knows."""
DUAL_RECIPES = (
    "Recipes:\nsdxl: clip-l, clip-g\nsd3: clip-l, clip-g / clip-l, t5 / clip-g, t5\nflux: clip-l, t5\n"
    "hidream: at least one of t5 or llama, recommended t5 and llama\n"
    "hunyuan_image: qwen2.5vl 7b and byt5 small\nnewbie: gemma-3-4b-it, jina clip v2"
)
WEIGHT_TYPES = ("default", "fp8_e4m3fn", "fp8_e4m3fn_fast", "fp8_e5m2")
NO_VAE = "pixel_space"
"""What the choices of a VAE end with."""
LORA_OUTPUTS = ("The modified diffusion model.", "The modified CLIP model.")
LORA_ALIASES = ("lora", "load lora", "apply lora", "lora loader", "lora model")


def nodes(config: SimConfig) -> list[NodeType]:
    """Return the nodes; `config` names the files that they offer."""
    return [*_models(config), *_loras(config), _clip_skip()]


def _models(config: SimConfig) -> list[NodeType]:
    return [
        NodeType(
            "CheckpointLoaderSimple",
            "Load Checkpoint",
            "model/loaders",
            ("MODEL", "CLIP", "VAE"),
            {"ckpt_name": choice(config.checkpoints, "The name of the checkpoint (model) to load.")},
            output_tooltips=(
                "The model used for denoising latents.",
                "The CLIP model used for encoding text prompts.",
                "The VAE model used for encoding and decoding images to and from latent space.",
            ),
            description="Loads a diffusion model checkpoint, diffusion models are used to denoise latents.",
            aliases=("load model", "checkpoint", "model loader", "load checkpoint", "ckpt", "model"),
        ),
        NodeType(
            "UNETLoader",
            "Load Diffusion Model",
            "model/loaders",
            ("MODEL",),
            {"unet_name": choice(config.diffusion_models), "weight_dtype": (list(WEIGHT_TYPES), {"advanced": True})},
        ),
        NodeType(
            "DualCLIPLoader",
            "Load CLIP (Dual)",
            "model/loaders",
            ("CLIP",),
            {
                "clip_name1": choice(config.text_encoders),
                "clip_name2": choice(config.text_encoders),
                "type": choice(DUAL_TYPES),
            },
            {"device": (["default", "cpu"], {"advanced": True})},
            description=DUAL_RECIPES,
        ),
        NodeType("VAELoader", "Load VAE", "model/loaders", ("VAE",), {"vae_name": choice((*config.vae, NO_VAE))}),
        NodeType(
            "ControlNetLoader",
            "Load ControlNet Model",
            "model/loaders",
            ("CONTROL_NET",),
            {"control_net_name": choice(config.controlnets)},
        ),
    ]


def _loras(config: SimConfig) -> list[NodeType]:
    applied = (
        "altering the way in which latents are denoised such as applying styles. "
        "Multiple LoRA nodes can be linked together."
    )
    return [
        NodeType(
            "LoraLoader",
            "Load LoRA (Model and CLIP)",
            "model/loaders",
            ("MODEL", "CLIP"),
            {
                "model": tip("MODEL", "The diffusion model the LoRA will be applied to."),
                "clip": tip("CLIP", "The CLIP model the LoRA will be applied to."),
                "lora_name": (list(config.loras), {"tooltip": "The name of the LoRA."}),
                "strength_model": _strength("How strongly to modify the diffusion model. This value can be negative."),
                "strength_clip": _strength("How strongly to modify the CLIP model. This value can be negative."),
            },
            output_tooltips=LORA_OUTPUTS,
            description=f"This LoRA loader is used to modify both diffusion and CLIP models, {applied}",
            aliases=LORA_ALIASES,
            essentials="Image Generation",
        ),
        NodeType(
            "LoraLoaderModelOnly",
            "Load LoRA",
            "model/loaders",
            ("MODEL",),
            {"model": ("MODEL",), "lora_name": choice(config.loras), "strength_model": _strength()},
            output_tooltips=LORA_OUTPUTS,
            description=f"This LoRAs loader is used to modify the diffusion model, {applied}",
            aliases=LORA_ALIASES,
            essentials="Image Generation",
        ),
    ]


def _strength(tooltip: str | None = None) -> InputSpec:
    return decimal(1.0, -100.0, 100.0, 0.01, **({} if tooltip is None else {"tooltip": tooltip}))


def _clip_skip() -> NodeType:
    return NodeType(
        "CLIPSetLastLayer",
        "CLIP Set Last Layer",
        "model/conditioning",
        ("CLIP",),
        {"clip": ("CLIP",), "stop_at_clip_layer": integer(-1, -24, -1, step=1, advanced=True)},
    )
