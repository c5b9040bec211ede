"""PowerMTA's configuration on PowerMTA's host: a version that control offers is brought into force
whole, or everything stays as it was. A process of its own: shipping never waits for it."""
