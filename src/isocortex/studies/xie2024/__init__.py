"""Study `xie2024`: networks trained to estimate spatial latents, and the ventral stream."""
