"""What a ComfyUI server sends, as typed values: websocket frames and HTTP bodies."""
