"""Widgets that several screens use, and the panels of the dashboard."""
