"""What the electrode picks up: hooks, recordings, their store."""

from isocortex.recording.layout import Layout
from isocortex.recording.record import estimate, record
from isocortex.recording.recording import Recording
from isocortex.recording.subsample import Projection

__all__ = ["Layout", "Projection", "Recording", "estimate", "record"]
