"""What is done by the calendar: at midnight, half an hour later, every few minutes."""
