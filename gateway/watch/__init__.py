"""What people and machines see of a gateway: metrics, log, admin port."""
