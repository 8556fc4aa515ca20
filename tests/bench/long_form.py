"""A graph with many inputs that a form lists."""

from typing import Any

from comfytui.workflow.builtin import txt2img

SAMPLERS, INPUTS = 50, 6
"""Samplers of the graph, and the inputs of each."""


def long_graph() -> dict[str, Any]:
    """Return the graph: each sampler goes on with the latent of the one before."""
    graph = dict(txt2img().graph)
    sampler = next(node_id for node_id, node in graph.items() if node["class_type"] == "KSampler")
    for number in range(1, SAMPLERS):
        inputs = {**graph[sampler]["inputs"], "seed": number, "latent_image": [str(999 + number), 0]}
        graph[str(1_000 + number)] = {"class_type": "KSampler", "inputs": inputs}
    graph["1000"] = graph.pop(sampler)
    end = next(node for node in graph.values() if node["class_type"] == "VAEDecode")
    end["inputs"] = {**end["inputs"], "samples": [str(999 + SAMPLERS), 0]}
    return graph
