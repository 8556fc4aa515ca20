"""What a prompt's text may contain: weights, variations, LoRA tags, and names that can be completed."""
