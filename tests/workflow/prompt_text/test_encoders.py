"""Only texts that go to an encoder that reads weights are weighted."""

from typing import Any

import pytest

from comfytui.workflow.nodes import Slot
from comfytui.workflow.prompt_text.encoders import reads_weights


def graph_with(encoder: str, loader: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    """Return a graph whose node `text` is an encoder with the CLIP of node `clip`."""
    return {
        "text": {"class_type": encoder, "inputs": {"text": "a cat", "clip": ["clip", 0], **inputs}},
        "clip": {"class_type": "CLIPLoader", "inputs": loader},
    }


@pytest.mark.parametrize(
    ("encoder", "loader", "expected"),
    [
        ("CLIPTextEncode", {"clip_name": "clip_l.safetensors", "type": "stable_diffusion"}, True),
        ("CLIPTextEncode", {"ckpt_name": "sd15.safetensors"}, True),
        ("CLIPTextEncode", {"clip_name1": "clip_l", "clip_name2": "t5xxl", "type": "flux"}, True),
        ("CLIPTextEncode", {"clip_name": "umt5_xxl", "type": "wan"}, True),
        ("CLIPTextEncode", {"clip_name1": "clip_l", "clip_name2": "qwen", "type": "hunyuan_video"}, True),
        ("CLIPTextEncode", {"clip_name": "qwen_2.5_vl_7b", "type": "qwen_image"}, False),
        ("CLIPTextEncode", {"clip_name": "qwen_3_4b.safetensors", "type": "lumina2"}, False),
        ("CLIPTextEncode", {"clip_name": "mistral_3_small", "type": "flux2"}, False),
        ("CLIPTextEncode", {"text_encoder": "gemma_3_12B_it_fp4_mixed", "ckpt_name": "ltx-2-19b-dev"}, False),
        ("CLIPTextEncode", {"clip_name": "gemma4_e2b_it_int8_convrot", "type": "ltxv"}, False),
        ("CLIPTextEncode", {"clip_name": "gemma_2_2b_fp16", "type": "lumina2"}, True),
        ("CLIPTextEncode", {"clip_name": "gemma_2_2b_it_elm_bf16", "type": "pixeldit"}, False),
        ("CLIPTextEncode", {"clip_name1": "gemma_3_4b_it", "clip_name2": "jina_clip_v2", "type": "newbie"}, True),
        ("CLIPTextEncode", {"clip_name1": "qwen_2.5_vl", "clip_name2": "byt5", "type": "hunyuan_video_15"}, False),
        ("CLIPTextEncode", {"clip_name": "gpt_oss_20b_nvfp4", "type": "lens"}, False),
        ("CLIPTextEncode", {"clip_name": "qwen_2.5_vl_fp16", "type": "omnigen2"}, True),
        ("CLIPTextEncode", {"clip_name": "qwen_3_06b_base", "type": "stable_diffusion"}, True),
        ("CLIPTextEncode", {"clip_name1": "qwen_0.6b_ace15", "clip_name2": "qwen_4b_ace15", "type": "ace"}, False),
        ("CLIPTextEncode", {"clip_name": "t5xxl_fp16", "type": ["not", "a text"]}, True),
        ("TextEncodeQwenImageEdit", {"clip_name": "clip_l"}, False),
        ("OpenAIChatNode", {"clip_name": "clip_l"}, False),
    ],
)
def test_weights_are_read_by_class_and_clip(encoder: str, loader: dict[str, Any], expected: bool) -> None:
    assert reads_weights(graph_with(encoder, loader), Slot("text", "text", encoder)) is expected


def test_text_of_a_node_before_the_encoder_is_followed() -> None:
    graph = graph_with("CLIPTextEncode", {"clip_name": "clip_l"}, text=["value", 0])
    graph["value"] = {"class_type": "PrimitiveString", "inputs": {"value": "a cat"}}
    assert reads_weights(graph, Slot("value", "value", "PrimitiveString"))


@pytest.mark.parametrize("graph", [None, [], {"text": 1}, {"text": {"class_type": "X", "inputs": {"a": ["text", 0]}}}])
def test_damaged_graphs_read_no_weights(graph: object) -> None:
    assert not reads_weights(graph, Slot("text", "text", "CLIPTextEncode"))
