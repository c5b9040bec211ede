"""Sessions towards PowerMTA: pool, wire, replies, circuit."""
