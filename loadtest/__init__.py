"""Black-box tools: PowerMTA stand-in, injectors, benchmark. They speak SMTP and HTTP only."""
