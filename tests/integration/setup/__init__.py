"""The first hour, on real servers."""
