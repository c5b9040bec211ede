"""What control shows to Prometheus."""
