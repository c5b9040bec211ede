"""The generated configuration, a file for each concern and tenant."""
