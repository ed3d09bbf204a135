"""The figures of the study: functions of its tables alone."""

from __future__ import annotations

from isocortex.studies.base import Figure

FIGURES: dict[str, Figure] = {}
