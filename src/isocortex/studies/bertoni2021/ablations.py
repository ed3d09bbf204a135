"""What changes with single choices: every network on one line, without a verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from isocortex.analyses.lateral import LEARNED
from isocortex.studies.bertoni2021.networks import Train

Tables = dict[str, pd.DataFrame]

FROM_LGN = ("q", "ring", "gate", "log_r", "free_r")
FROM_KERNEL = ("like_ratio", "axial_ratio", "slope")


def ablations(networks: Sequence[Train], tables: Tables) -> pd.DataFrame:
    """Return what was chosen and what came out, one row a network.

    Parameters
    ----------
    networks : sequence of Train
    tables : dict of str to pandas.DataFrame
        ``networks``, ``emergence`` and, with lateral connections, ``lateral``.

    Returns
    -------
    pandas.DataFrame
        `arm`, `seed`, `source`, `lgn`, `lateral`, `iterations`, `weight_decay`; `accuracy`,
        `mean_r`, `mean_gain`, `n_retained`; of the filter in front at the end `FROM_LGN`; of the
        positive part of the learned kernel over the disc `FROM_KERNEL`, NaN where units are too few
        to conclude from.
    """
    if not networks:
        return pd.DataFrame()
    chosen = pd.DataFrame(
        [
            {
                "arm": n.arm,
                "seed": n.seed,
                "source": n.source,
                "lgn": n.lgn,
                "lateral": n.lateral,
                "iterations": n.iterations if n.lateral != "none" else 0,
                "weight_decay": n.weight_decay,
            }
            for n in networks
        ]
    )
    key = ["arm", "seed"]
    found = tables["networks"][[*key, "accuracy", "mean_r", "mean_gain", "n_retained"]]
    table = chosen.merge(found, on=key, how="left")
    ends = tables["emergence"].sort_values("step").groupby(key, as_index=False).tail(1)
    table = table.merge(ends.reindex(columns=[*key, *FROM_LGN]), on=key, how="left")
    lateral = tables.get("lateral", pd.DataFrame())
    if lateral.empty:
        return table.assign(**dict.fromkeys(FROM_KERNEL, np.nan))
    rows = lateral[lateral["what"] == LEARNED]
    rows = rows.query("sign == 'positive' and region == 'disc' and enough")
    return table.merge(rows[[*key, *FROM_KERNEL]], on=key, how="left")
