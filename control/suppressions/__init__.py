"""Recipients that get no mail any more: by rule, by hand, by import."""
