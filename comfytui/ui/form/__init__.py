"""The prompt form."""
