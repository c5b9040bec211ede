"""What an operator may change: each a function inside one transaction."""
