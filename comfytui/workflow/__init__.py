"""Workflows as data: load a graph, find the fields that a form can set, and set them."""
