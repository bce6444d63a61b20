"""Latency: how long a fitted method takes for an image, measured in fresh processes."""
