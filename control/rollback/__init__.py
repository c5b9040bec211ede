"""What an earlier plan had is set again, as far as that may be."""
