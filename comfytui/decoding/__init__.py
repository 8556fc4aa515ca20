"""Decoding of images from anywhere, in a process with limits on memory and time."""
