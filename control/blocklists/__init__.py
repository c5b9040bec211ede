"""DNS blocklists: which of them have our IPs and sending domains."""
