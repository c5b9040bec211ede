"""The data plane: SMTP in, a decision, SMTP out to PowerMTA."""
