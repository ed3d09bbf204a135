"""isocortex: which brain-like properties emerge in convolutional networks, and why."""

__version__ = "0.1.0"
