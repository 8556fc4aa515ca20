"""The run of one prompt: its steps, phases and progress, the time it takes, and its stalls."""
