"""From the format in which ComfyUI's editor saves a workflow to a graph that can be queued."""
