"""A warm-up of two months, day by day, through everything real."""
