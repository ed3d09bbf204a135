"""What brains did: recorded populations and their importers."""
