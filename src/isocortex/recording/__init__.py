"""What the electrode picks up: hooks, recordings, their store."""
