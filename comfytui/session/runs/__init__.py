"""The prompt that runs: its steps, its timing, and whether it stalls."""
