"""Meshes, their symmetry, and the ray caster that turns them into images."""
