"""Messages into the hold, durably."""
