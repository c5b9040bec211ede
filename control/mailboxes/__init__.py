"""Sender addresses with limits of their own: set one by one or by the list, and what they sent."""
