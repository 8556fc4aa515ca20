"""The screen: what the user sees and types."""
