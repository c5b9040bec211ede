"""Mail on our VirtualMTAs that went around the gateways."""
