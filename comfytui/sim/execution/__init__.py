"""How the simulated server runs prompts."""
