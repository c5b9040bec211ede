"""What the hold needs beside its mail: signs of life, expiry, requests, probes, notices."""
