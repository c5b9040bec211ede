"""A control plane in which every page of the console has something to show."""
