"""What is shown: stimulus sets, object views, glyphs, digits, textures, image symmetries."""

from isocortex.stimuli.contact_sheet import write_contact_sheet
from isocortex.stimuli.dead_leaves import dead_leaves
from isocortex.stimuli.digits import cifar10, mnist
from isocortex.stimuli.glyphs import stroke_glyphs
from isocortex.stimuli.labelled_folders import labelled_images
from isocortex.stimuli.objects import VIEWS_5, VIEWS_9, object_views
from isocortex.stimuli.photographs import photographs, whole_photographs
from isocortex.stimuli.stimulus_set import StimulusSet, concatenate
from isocortex.stimuli.texture_digits import TextureDigits, texture_digits
from isocortex.stimuli.textures import textures
from isocortex.stimuli.transforms import TRANSFORMS, Transform

__all__ = [
    "TRANSFORMS",
    "VIEWS_5",
    "VIEWS_9",
    "StimulusSet",
    "TextureDigits",
    "Transform",
    "cifar10",
    "concatenate",
    "dead_leaves",
    "labelled_images",
    "mnist",
    "object_views",
    "photographs",
    "stroke_glyphs",
    "texture_digits",
    "textures",
    "whole_photographs",
    "write_contact_sheet",
]
