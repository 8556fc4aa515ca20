"""What a ComfyUI server says: frames and bodies as typed values."""
