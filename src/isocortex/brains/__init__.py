"""What brains did: recorded populations and their importers."""

from isocortex.brains import simulated
from isocortex.brains.assembly import Assembly, Card
from isocortex.brains.brainscore import read_brainscore
from isocortex.brains.cadena import read_cadena
from isocortex.brains.catalogue import catalogue, checksum, load, load_assembly, names_of_files
from isocortex.brains.face_views import FaceViews, read_face_views
from isocortex.brains.human_rdms import SubjectRDMs
from isocortex.brains.orientation import OrientationTable, read_ringach
from isocortex.brains.own_copies import OWN_COPIES
from isocortex.brains.plain_folder import read_folder
from isocortex.brains.public_assemblies import read_public
from isocortex.brains.rasters import read_ndt_rasters
from isocortex.brains.sensorium import read_sensorium
from isocortex.brains.things import read_things_fmri, read_tvsd

__all__ = [
    "OWN_COPIES",
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
    "read_cadena",
    "read_face_views",
    "read_folder",
    "read_ndt_rasters",
    "read_public",
    "read_ringach",
    "read_sensorium",
    "read_things_fmri",
    "read_tvsd",
    "simulated",
]
