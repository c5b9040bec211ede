"""Connections shared by the workers of one gateway."""
