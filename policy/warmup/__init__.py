"""Warm-up: plans, evidence, and what follows from it. Pure: no clock, no database."""
