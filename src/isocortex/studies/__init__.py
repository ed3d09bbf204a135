"""Studies: published systems whose claims are judged by statistics."""

from isocortex.studies.base import STUDIES, Figure, Findings, Study, StudyResult, run_study
from isocortex.studies.execution import Execution, Step

__all__ = [
    "STUDIES",
    "Execution",
    "Figure",
    "Findings",
    "Step",
    "Study",
    "StudyResult",
    "run_study",
]
