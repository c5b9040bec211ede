"""The control plane: the truth about tenants, IPs and plans, and the `sendgate` command."""
