"""The one configuration file, read by every process."""
