"""How it learned: label policies, losses, one resumable training loop."""
