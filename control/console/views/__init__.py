"""What each page shows and does: one module a page."""
