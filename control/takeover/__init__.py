"""What PowerMTA ran before becomes tenants, pools, VirtualMTAs, domains and keys."""
