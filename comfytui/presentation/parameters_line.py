"""How a recipe reads on one line."""

from comfytui.sanitize import plain
from comfytui.workflow.parameters import Recipe

SEPARATOR = " · "
"""What stands between two settings."""


def recipe_line(recipe: Recipe) -> str:
    """`seed 88213 · 1024x1024 · 4 images · 20 steps · euler/normal · cfg 7 · sd_xl`, without what a graph lacks."""
    parts = [
        _seeds(recipe),
        f"{recipe.width}x{recipe.height}" if recipe.width and recipe.height else "",
        f"{recipe.latent_batch} images" if recipe.latent_batch > 1 else "",
        f"{recipe.steps} steps" if recipe.steps is not None else "",
        "/".join(plain(name, 40) for name in (recipe.sampler, recipe.scheduler) if name),
        f"cfg {recipe.cfg:g}" if recipe.cfg is not None else "",
        f"guidance {recipe.guidance:g}" if recipe.guidance is not None else "",
        plain(recipe.model or "", 60).removesuffix(".safetensors"),
    ]
    return SEPARATOR.join(part for part in parts if part)


def _seeds(recipe: Recipe) -> str:
    """`seed 88213`, or of a graph with several `seeds 88213, 4711`."""
    seeds = [seed for seed in (recipe.seed, *recipe.more_seeds) if seed is not None]
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
