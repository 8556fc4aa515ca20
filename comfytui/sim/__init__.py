"""A simulated ComfyUI server: the demo's engine and the tests' opponent. It stands alone."""
