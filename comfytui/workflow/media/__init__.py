"""Reads the workflow that ComfyUI writes into the images, videos, sounds and models it saves."""
