"""Black-box tools: the PowerMTA stand-in, injectors and the benchmark. Speaks SMTP and HTTP only."""
