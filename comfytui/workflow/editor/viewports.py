"""What nodes that show a 3D scene send of it: how the user looked at it last, without the pictures of a browser."""

from collections.abc import Mapping
from typing import Any, Final

from comfytui.workflow.editor.json_values import as_mapping

VIEWPORT_CLASSES: Final = frozenset({"Preview3DAdvanced", "Save3DAdvanced"})
"""Classes for which no picture of the scene is taken."""

_FIRST_VIEW: Final[Mapping[str, Any]] = {
    "position": {"x": 10, "y": 10, "z": 10.000000000000002},
    "target": {"x": 0, "y": 0, "z": 0},
    "zoom": 1,
    "cameraType": "perspective",
    "quaternion": {
        "x": -0.2798481423331213,
        "y": 0.3647051996310008,
        "z": 0.11591689595929511,
        "w": 0.8804762392171493,
    },
    "fov": 35,
    "aspect": 1,
    "near": 0.01,
    "far": 10000,
    "frustum": {"left": -5, "right": 5, "top": 5, "bottom": -5},
}
"""The camera of a scene that nobody has turned."""


def viewport_state(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of the scene of a node with these properties."""
    camera = as_mapping(as_mapping(properties.get("Camera Config")).get("state")) or _FIRST_VIEW
    return {
        "image": "",
        "mask": "",
        "normal": "",
        "camera_info": dict(camera),
        "recording": "",
        "model_3d_info": [],
    }
