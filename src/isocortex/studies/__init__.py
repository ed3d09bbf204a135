"""Studies: published systems whose claims are judged by statistics."""

from isocortex.execution import Execution, Step
from isocortex.studies.base import STUDIES, Figure, Findings, Study, StudyResult, run_study

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
