"""What brains did: recorded populations and their importers."""

from isocortex.brains import simulated
from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.brainscore import read_brainscore
from isocortex.brains.catalogue import catalogue, checksum, load, load_assembly, names_of_files
from isocortex.brains.face_views import FaceViews, read_face_views
from isocortex.brains.human_rdms import SubjectRDMs
from isocortex.brains.orientation import OrientationTable, read_ringach
from isocortex.brains.plain_folder import read_folder
from isocortex.brains.public_assemblies import read_public
from isocortex.brains.rasters import read_ndt_rasters
from isocortex.brains.sensorium import read_sensorium

__all__ = [
    "Assembly",
    "Card",
    "FaceViews",
    "OrientationTable",
    "SubjectRDMs",
    "catalogue",
    "checksum",
    "load",
    "load_assembly",
    "names_of_files",
    "read_brainscore",
    "read_face_views",
    "read_folder",
    "read_ndt_rasters",
    "read_public",
    "read_ringach",
    "read_sensorium",
    "simulated",
]
