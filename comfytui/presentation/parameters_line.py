"""How a recipe reads on one line."""

from comfytui.sanitize import sanitize
from comfytui.workflow.parameters import GenerationParameters

SEPARATOR = " · "
"""What stands between two settings."""


def parameters_line(parameters: GenerationParameters) -> str:
    """`seed 88213 · 1024x1024 · 4 images · 20 steps · euler/normal · cfg 7 · sd_xl`, without what a graph lacks."""
    parts = [
        _seeds(parameters),
        f"{parameters.width}x{parameters.height}" if parameters.width and parameters.height else "",
        f"{parameters.latent_batch} images" if parameters.latent_batch > 1 else "",
        f"{parameters.steps} steps" if parameters.steps is not None else "",
        "/".join(sanitize(name, 40) for name in (parameters.sampler, parameters.scheduler) if name),
        f"cfg {parameters.cfg:g}" if parameters.cfg is not None else "",
        f"guidance {parameters.guidance:g}" if parameters.guidance is not None else "",
        sanitize(parameters.model or "", 60).removesuffix(".safetensors"),
    ]
    return SEPARATOR.join(part for part in parts if part)


def _seeds(parameters: GenerationParameters) -> str:
    """`seed 88213`, or of a graph with several `seeds 88213, 4711`."""
    seeds = [seed for seed in (parameters.seed, *parameters.more_seeds) if seed is not None]
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
