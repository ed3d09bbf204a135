"""Farahat & Vinck (2025): random networks of the right architecture, and early visual cortex."""
