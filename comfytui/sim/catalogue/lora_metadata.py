"""What the files of the simulated LoRAs say about themselves."""

import json
from collections.abc import Mapping


def _tags(**folders: Mapping[str, int]) -> str:
    """Return tag frequencies as training tools write them: JSON in a string, by folder of training images."""
    return json.dumps(folders)


METADATA: Mapping[str, Mapping[str, str]] = {
    "fox_style.safetensors": {
        "ss_tag_frequency": _tags(**{"10_fox": {"red fox": 120, "snow": 40}}),
        "modelspec.title": "fox style",
        "ss_output_name": "fox_style",
    },
    "pixel-art-xl.safetensors": {
        "modelspec.title": "Pixel art",
        "modelspec.trigger_phrase": "pixel art",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "ss_tag_frequency": _tags(**{"8_pixel": {"pixel art": 310, "16-bit": 120, "isometric": 64, "sprite": 41}}),
        "ss_base_model_version": "sdxl_base_v1-0",
    },
    "styles/watercolour_xl.safetensors": {
        "modelspec.title": "Watercolour",
        "ss_output_name": "watercolour_xl",
        "ss_tag_frequency": _tags(
            **{"12_paper": {"watercolour": 96, "wet paper": 31}, "4_ink": {"watercolour": 20, "ink lines": 18}}
        ),
        "ss_base_model_version": "sdxl_base_v1-0",
    },
}
"""By the name of the file; the others say nothing."""
