"""What the electrode picks up: hooks, recordings, their store, Grams of their layers."""

from isocortex.recording.gram_files import Grams
from isocortex.recording.grams import Need
from isocortex.recording.layout import Layout
from isocortex.recording.record import estimate, record
from isocortex.recording.recording import Recording
from isocortex.recording.streaming import grams, preflight
from isocortex.recording.subsample import Projection

__all__ = [
    "Grams",
    "Layout",
    "Need",
    "Projection",
    "Recording",
    "estimate",
    "grams",
    "preflight",
    "record",
]
