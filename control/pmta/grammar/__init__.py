"""PowerMTA's configuration as a tree: read with all its defects, and printed again."""
