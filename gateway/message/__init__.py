"""A message, its header, ids and stamp."""
