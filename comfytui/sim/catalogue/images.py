"""Node types that save, load, make and transform images, and the test node of the recordings."""

from collections.abc import Sequence

from comfytui.sim.catalogue.node_types import MAX_RESOLUTION, MAX_SEED, NodeType, choice, decimal, integer, tip

PNG_FIELDS = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}
SCALE_METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")


def nodes(uploads: Sequence[str]) -> tuple[NodeType, ...]:
    """Return the image nodes; `uploads` are the choices of LoadImage."""
    return (_save_image(), _preview_image(), _load_image(uploads), *_transforms(), _lab_sampler())


def _save_image() -> NodeType:
    prefix_tip = (
        "The prefix for the file to save. This may include formatting information such as %date:yyyy-MM-dd% or "
        "%Empty Latent Image.width% to include values from nodes."
    )
    return NodeType(
        "SaveImage",
        "Save Image",
        "image",
        ("IMAGE",),
        {
            "images": tip("IMAGE", "The images to save."),
            "filename_prefix": ("STRING", {"default": "ComfyUI", "tooltip": prefix_tip}),
        },
        hidden=PNG_FIELDS,
        output_names=("images",),
        description="Saves the input images to your ComfyUI output directory.",
        aliases=("save", "save image", "export image", "output image", "write image", "download"),
        essentials="Basics",
        is_output=True,
    )


def _preview_image() -> NodeType:
    return NodeType(
        "PreviewImage",
        "Preview Image",
        "image",
        ("IMAGE",),
        {"images": ("IMAGE",)},
        hidden=PNG_FIELDS,
        output_names=("images",),
        description="Preview the images without saving them to the ComfyUI output directory.",
        aliases=("preview", "preview image", "show image", "view image", "display image", "image viewer"),
        essentials="Basics",
        is_output=True,
    )


def _load_image(uploads: Sequence[str]) -> NodeType:
    return NodeType(
        "LoadImage",
        "Load Image",
        "image",
        ("IMAGE", "MASK"),
        {"image": (sorted(uploads), {"image_upload": True})},
        file_input="image",
        aliases=(
            *("load image", "open image", "import image", "image input"),
            *("upload image", "read image", "image loader"),
        ),
        essentials="Basics",
    )


def _transforms() -> tuple[NodeType, ...]:
    return (
        NodeType(
            "ImageScale",
            "Upscale Image",
            "image/upscaling",
            ("IMAGE",),
            {
                "image": ("IMAGE",),
                "upscale_method": choice(SCALE_METHODS),
                "width": integer(512, 0, MAX_RESOLUTION, step=1),
                "height": integer(512, 0, MAX_RESOLUTION, step=1),
                "crop": choice(("disabled", "center")),
            },
            aliases=("resize", "resize image", "scale image", "image resize", "zoom", "zoom in", "change size"),
            essentials="Image Tools",
        ),
        NodeType(
            "ImageInvert",
            "Invert Image Colors",
            "image/color",
            ("IMAGE",),
            {"image": ("IMAGE",)},
            aliases=("reverse colors",),
            essentials="Image Tools",
        ),
        NodeType(
            "EmptyImage",
            "Empty Image",
            "image",
            ("IMAGE",),
            {
                "width": integer(512, 1, MAX_RESOLUTION, step=1),
                "height": integer(512, 1, MAX_RESOLUTION, step=1),
                "batch_size": integer(1, 1, 4096),
                "color": integer(0, 0, 0xFFFFFF, step=1, display="color"),
            },
        ),
    )


def _lab_sampler() -> NodeType:
    return NodeType(
        "LabSampler",
        "LabSampler",
        "lab",
        ("IMAGE",),
        {
            "seed": integer(0, 0, MAX_SEED),
            "steps": integer(20, 1, 100000),
            "delay_ms": decimal(50.0, 0.0, 60000.0, 1.0),
            "fail_at": integer(-1, -1, 100000),
            "preview": ("BOOLEAN", {"default": True}),
            "text": ("STRING", {"default": ""}),
            "width": integer(64, 16, MAX_RESOLUTION),
            "height": integer(64, 16, MAX_RESOLUTION),
            "batch_size": integer(1, 1, 64),
        },
        module="custom_nodes.lab_nodes",
    )
