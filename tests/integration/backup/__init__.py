"""Backups, on real servers."""
