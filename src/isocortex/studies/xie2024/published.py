"""The stages that the released networks map areas to (specification, table 5.1b)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from isocortex.studies.xie2024.public_alignment import REGIONS

PUBLISHED = {
    "resnet18": {
        **dict.fromkeys(("distance", "rotation", "distance+rotation"), "1113"),
        **dict.fromkeys(
            ("translation", "distance+translation", "translation+rotation", "spatial"), "1213"
        ),
        "category": "1323", "identity": "2223", "everything": "1223", "imagenet": "2223",
        "untrained": "1214",
    },
    "resnet50": {
        "distance": "1122",
        **dict.fromkeys(
            ("rotation", "distance+rotation", "translation+rotation", "spatial"), "1123"
        ),
        **dict.fromkeys(
            ("translation", "distance+translation", "category", "identity", "everything"), "1223"
        ),
        "imagenet": "2223", "untrained": "1111",
    },
}  # fmt: skip
"""Body -> task set -> stage of V1, V2, V4, IT; chosen among conv1 and the ends of four stages."""


def beside_published(found: pd.DataFrame) -> pd.DataFrame:
    """Return the stage that predicts an area best, beside that of the released networks.

    Parameters
    ----------
    found : pandas.DataFrame
        Of `AlignPublic`, with ``stage``; networks that were given have the variant ``given``.

    Returns
    -------
    pandas.DataFrame
        One row a body, task set, variant and area: mean ``stage`` over ``n`` networks, and
        ``published``, NaN for bodies and sets that are not published.
    """
    best = found[found["best"] & found["variant"].isin(("full", "given"))].dropna(subset="stage")
    keys = ["body", "task_set", "variant", "area"]
    table = best.groupby(keys, sort=False)["stage"].agg(["mean", "size"]).reset_index()
    table = table.rename(columns={"mean": "stage", "size": "n"})
    rows = zip(table["body"], table["task_set"], table["area"], strict=True)
    digits = [(PUBLISHED.get(body, {}).get(s), REGIONS.index(area)) for body, s, area in rows]
    return table.assign(published=[float(d[k]) if d else np.nan for d, k in digits])
