"""Mail that waits: looking at it, counting it, orders for it."""
