"""What scores of the recorded areas could reach at best, beside which alignment is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from isocortex.brains import load
from isocortex.measures.encoding import internal_consistency
from isocortex.measures.similarity import noise_ceiling
from isocortex.studies.xie2024.alignment import REGIONS


def ceilings(sessions: Sequence[str], human: bool, data: Path) -> pd.DataFrame:
    """Return the ceilings of the areas whose recordings have repetitions or several subjects.

    Parameters
    ----------
    sessions : sequence of str
        V4 sessions; those without single trials have no ceiling and no row.
    human : bool
        Whether to add the regions of the 92 objects.
    data : Path
        The data folder.

    Returns
    -------
    DataFrame
        One row an area. V4, `lower`: the correlation of the recording with itself, by
        `internal_consistency` (random halves of the trials, 2r / (1 + r), median over neurons);
        `upper`: its square root, what the true mean responses would reach. Human regions: bounds by
        `noise_ceiling`, each subject against the mean of the others, and of all. ``n`` is the
        number of neurons or subjects, `how` says which it is.
    """
    rows = []
    for session in sessions:
        trials = load(f"v4-cowley-{session}", data).trials
        if trials is not None and len(trials) > 1:
            shown = trials.to_numpy()
            own = internal_consistency(shown)
            upper = float(np.sqrt(own)) if own > 0 else np.nan
            rows.append((f"V4 {session}", own, upper, shown.shape[-1], "split halves of trials"))
    if human:
        objects = load("objects92", data)
        for region in REGIONS:
            subjects = objects.rdms[region].to_numpy()
            found = noise_ceiling(subjects, "spearman")
            rows.append((region, found.lower, found.upper, len(subjects), "subject and mean RDM"))
    return pd.DataFrame(rows, columns=["area", "lower", "upper", "n", "how"])
