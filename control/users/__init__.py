"""Who may ask: tokens of the API."""
