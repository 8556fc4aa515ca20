"""The node types of the simulated server."""

from collections.abc import Sequence

from comfytui.sim.catalogue import custom_sampling, images, loaders, primitives, text_to_image
from comfytui.sim.catalogue.node_types import NodeType
from comfytui.sim.config import SimConfig


def catalogue(config: SimConfig, uploads: Sequence[str] = ()) -> dict[str, NodeType]:
    """Return all node types by name.

    Args:
        config: Names the model files that the loaders offer.
        uploads: Names of the files that LoadImage offers.
    """
    nodes = (
        *loaders.nodes(config),
        *primitives.nodes(),
        *text_to_image.conditioning(),
        *text_to_image.latents(),
        *text_to_image.samplers(),
        *custom_sampling.nodes(),
        *images.nodes(uploads),
    )
    return {node.name: node for node in nodes}
