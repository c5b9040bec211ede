"""Held messages out of the hold, when an IP may send them."""
