"""What brains did: recorded populations and their importers."""

from isocortex.brains.face_views import FaceViews, read_face_views

__all__ = ["FaceViews", "read_face_views"]
