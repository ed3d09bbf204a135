"""What brains did: recorded populations and their importers."""

from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.catalogue import catalogue, load, load_assembly
from isocortex.brains.face_views import FaceViews, read_face_views
from isocortex.brains.human_rdms import SubjectRDMs
from isocortex.brains.orientation import OrientationTable, read_ringach

__all__ = [
    "Assembly",
    "Card",
    "FaceViews",
    "OrientationTable",
    "SubjectRDMs",
    "catalogue",
    "load",
    "load_assembly",
    "read_face_views",
    "read_ringach",
]
