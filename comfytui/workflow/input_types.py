"""The types of inputs, as node definitions name them."""

from typing import Final

DYNAMIC_COMBO: Final = "COMFY_DYNAMICCOMBO_V3"
"""The type of a choice that has further inputs behind it, which depend on what is chosen."""

AUTOGROW: Final = "COMFY_AUTOGROW_V3"
"""The type of a group of inputs that grows with each that is linked."""

WIDGET_TYPES: Final = frozenset(
    {
        *("INT", "FLOAT", "BOOLEAN", "STRING", "COMBO", "COLOR", "CURVE", "BOUNDING_BOX", "BOUNDING_BOXES", "COLORS"),
        *("RANGE", "COMPOSITOR", "PAINTER", "IMAGECOMPARE", "MARKDOWN", "TEXTAREA", "VIDEO_EDIT", "CHART", "GALLERIA"),
        *("WEBCAM", "AUDIO_RECORD", "LOAD_3D", "LOAD_3D_ADVANCED", "PREVIEW_3D", DYNAMIC_COMBO),
    }
)
"""Types that the editor shows as a widget; an input of any other type can only be linked."""
