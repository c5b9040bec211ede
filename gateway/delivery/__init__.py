"""One message: screening, attempts, and what every outcome means."""
