"""What is shown: stimulus sets, object views, glyphs and digits, image symmetries."""

from isocortex.stimuli.stimulus_set import StimulusSet, concatenate
from isocortex.stimuli.transforms import TRANSFORMS, Transform

__all__ = ["TRANSFORMS", "StimulusSet", "Transform", "concatenate"]
