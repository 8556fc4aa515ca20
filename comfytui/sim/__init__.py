"""A simulated ComfyUI server for the demo and the tests; depends on no other package of comfytui but `sanitize`."""
