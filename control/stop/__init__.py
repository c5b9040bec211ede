"""Stopping all sending, and starting it again."""
