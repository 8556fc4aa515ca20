"""comfytui: a terminal dashboard for ComfyUI."""
