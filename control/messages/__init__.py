"""What became of messages: read from the gateways, kept for a month, searched."""
