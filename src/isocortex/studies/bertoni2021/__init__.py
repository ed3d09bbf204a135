"""Study bertoni2021: symmetries of an LGN filter, first-layer filters and lateral connections."""
