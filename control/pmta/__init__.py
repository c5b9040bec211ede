"""PowerMTA's configuration: written from a generation, handed over, reloaded."""
