"""Mirror-symmetric viewpoint tuning (Farzmahdi et al., eLife 2024)."""
