"""What DNS publishes of our sending domains, compared with what has to be there."""
