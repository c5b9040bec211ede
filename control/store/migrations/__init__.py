"""The schema's history: plain SQL files, each run once."""
