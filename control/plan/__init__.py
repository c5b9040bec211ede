"""The plan: rows become a generation, and a generation is put in force."""
