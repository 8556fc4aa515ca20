"""A terminal dashboard for ComfyUI."""

__version__ = "0.1.0"
