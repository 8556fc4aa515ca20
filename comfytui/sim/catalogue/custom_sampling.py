"""Node types of modular sampling: separate nodes for noise, guider, sampler and sigmas."""

from functools import partial

from comfytui.sim.catalogue.node_types import (
    MAX_RESOLUTION,
    MAX_SEED,
    InputSpec,
    NodeType,
    decimal,
    integer,
    modern_choice,
)
from comfytui.sim.catalogue.text_to_image import SAMPLERS, SCHEDULERS

_custom = partial(NodeType, module="comfy_extras.nodes_custom_sampler", modern=True)


def nodes() -> tuple[NodeType, ...]:
    """Return the nodes around SamplerCustomAdvanced and the Flux nodes used with them."""
    model: InputSpec = ("MODEL", {})
    conditioning: InputSpec = ("CONDITIONING", {})
    return (
        _custom(
            "RandomNoise",
            None,
            "model/sampling/noise",
            ("NOISE",),
            {"noise_seed": integer(0, 0, MAX_SEED, control_after_generate=True)},
        ),
        _custom(
            "BasicScheduler",
            None,
            "model/sampling/schedulers",
            ("SIGMAS",),
            {
                "model": model,
                "scheduler": modern_choice(SCHEDULERS),
                "steps": integer(20, 1, 10000),
                "denoise": decimal(1.0, 0.0, 1.0, 0.01),
            },
        ),
        _custom(
            "KSamplerSelect",
            None,
            "model/sampling/samplers",
            ("SAMPLER",),
            {"sampler_name": modern_choice(SAMPLERS)},
        ),
        *_sampling(model, conditioning),
        *_flux(conditioning),
    )


def _sampling(model: InputSpec, conditioning: InputSpec) -> tuple[NodeType, ...]:
    return (
        _custom(
            "BasicGuider",
            "Basic Guider",
            "model/sampling/guiders",
            ("GUIDER",),
            {"model": model, "conditioning": conditioning},
        ),
        _custom(
            "CFGGuider",
            "CFG Guider",
            "model/sampling/guiders",
            ("GUIDER",),
            {
                "model": model,
                "positive": conditioning,
                "negative": conditioning,
                "cfg": decimal(8.0, 0.0, 100.0, 0.1, round=0.01),
            },
        ),
        _custom(
            "SamplerCustomAdvanced",
            None,
            "model/sampling/custom",
            ("LATENT", "LATENT"),
            {
                "noise": ("NOISE", {}),
                "guider": ("GUIDER", {}),
                "sampler": ("SAMPLER", {}),
                "sigmas": ("SIGMAS", {}),
                "latent_image": ("LATENT", {}),
            },
            output_names=("output", "denoised_output"),
        ),
    )


def _flux(conditioning: InputSpec) -> tuple[NodeType, ...]:
    return (
        NodeType(
            "FluxGuidance",
            None,
            "model/conditioning/flux",
            ("CONDITIONING",),
            {"conditioning": conditioning, "guidance": decimal(3.5, 0.0, 100.0, 0.1)},
            module="comfy_extras.nodes_flux",
            modern=True,
        ),
        NodeType(
            "EmptySD3LatentImage",
            None,
            "model/latent/stable diffusion",
            ("LATENT",),
            {
                "width": integer(1024, 16, MAX_RESOLUTION, step=16),
                "height": integer(1024, 16, MAX_RESOLUTION, step=16),
                "batch_size": integer(1, 1, 4096),
            },
            module="comfy_extras.nodes_sd3",
            modern=True,
        ),
    )
