"""The parts of the benchmark: loads, targets, figures, and what is made of them."""
