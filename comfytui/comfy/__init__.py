"""The client of a ComfyUI server: address and credentials, HTTP API, websocket, and errors."""
