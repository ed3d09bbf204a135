"""What is shown: stimulus sets, object views, latent scenes, gratings, glyphs, textures, noise."""

from isocortex.stimuli.contact_sheet import write_contact_sheet
from isocortex.stimuli.contours import contour_image, direction_paths
from isocortex.stimuli.corruptions import CORRUPTIONS, Corruption, corrupted
from isocortex.stimuli.dead_leaves import dead_leaves
from isocortex.stimuli.digits import cifar10, mnist
from isocortex.stimuli.glyphs import stroke_glyphs
from isocortex.stimuli.gratings import GRATINGS, gratings, marques_gratings, small_gratings
from isocortex.stimuli.labelled_folders import labelled_images
from isocortex.stimuli.noise import pink_noise
from isocortex.stimuli.objects import VIEWS_5, VIEWS_9, object_views
from isocortex.stimuli.photographs import photographs, whole_photographs
from isocortex.stimuli.scenes import LatentScenes, SceneSpec
from isocortex.stimuli.stimulus_set import StimulusSet, concatenate
from isocortex.stimuli.texture_digits import TextureDigits, texture_digits
from isocortex.stimuli.textures import textures
from isocortex.stimuli.transforms import TRANSFORMS, Transform

__all__ = [
    "CORRUPTIONS",
    "GRATINGS",
    "TRANSFORMS",
    "VIEWS_5",
    "VIEWS_9",
    "Corruption",
    "LatentScenes",
    "SceneSpec",
    "StimulusSet",
    "TextureDigits",
    "Transform",
    "cifar10",
    "concatenate",
    "contour_image",
    "corrupted",
    "dead_leaves",
    "direction_paths",
    "gratings",
    "labelled_images",
    "marques_gratings",
    "mnist",
    "object_views",
    "photographs",
    "pink_noise",
    "small_gratings",
    "stroke_glyphs",
    "texture_digits",
    "textures",
    "whole_photographs",
    "write_contact_sheet",
]
