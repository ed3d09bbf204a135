"""Analyses of any network: what one command computes, and a study can use."""
