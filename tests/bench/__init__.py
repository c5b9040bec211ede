"""Measurements of single parts. They import the product, which `loadtest` (a black box) may not."""
