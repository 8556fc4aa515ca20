"""Graphs as data: loading them, finding what a form can set, and setting it; pure."""
