"""From tables to intervals, from intervals to verdicts (specification, 5.4).

Scalars are paired by seed, with Student's t over seeds. CKA is drawn anew over networks. All parts
of a claim must be shown, so that several layers or sets of one claim need no correction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from isocortex.claims import Claim, Judgement, Verdict, judge
from isocortex.statistics import Interval, t_interval
from isocortex.studies.xie2024.claims import (
    CATEGORY_SETS,
    CLAIMS,
    CURVES,
    EVIDENCE,
    FEW,
    MORE,
    PAIRS,
    SPATIAL,
    STAGED,
    TRANSLATION_SETS,
)
from isocortex.studies.xie2024.counted import LEVEL, Blocks, Draw, Gate
from isocortex.studies.xie2024.given import GIVEN
from isocortex.studies.xie2024.natural import CIFAR10, NATURAL
from isocortex.studies.xie2024.networks import UNTRAINED
from isocortex.studies.xie2024.overview import curve_correlations, mean_correlation
from isocortex.studies.xie2024.public_alignment import REGIONS, complete

Tables = Mapping[str, pd.DataFrame]
Intervals = dict[str, Interval]
ROLES = ("deep", "pooled")
"""Of decoded layers: layer4 and avgpool of a ResNet, or what stands for them."""

REFERENCE = "everything"
"""The networks that others are compared with as a reference, at full variability."""

NO_V4 = "no V4 recordings: set ISOCORTEX_DATA"
NO_PUBLIC = "no files of public assemblies of V1, V2, V4 and IT, which the preset full asks for"
FOUR = "A is the mean of V1, V2, V4 and IT"
NO_HUMAN = "no 92 objects: set ISOCORTEX_DATA"
NO_BASE = "{} networks are not above untrained ones, so that there is nothing to reach"
NO_NATURAL = "no network was trained on natural images: --set networks.natural=FOLDER of ImageNet"
ONLY_REPORTED = "reported, not judged: the natural images are few and small (CIFAR-10)"
NO_STAGES = "the networks have no stages like those of a ResNet, which the claim speaks of"


def judge_all(tables: Tables, n_seeds: int, resamples: int) -> list[Judgement]:
    """Judge every claim from the tables of a run.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        ``training``, ``decoding``, ``cka`` and, with recordings, ``alignment``, ``curves``,
        ``alignment_human``, ``alignment_public``. With all four public regions their mean is A.
    n_seeds : int
        Trainings of each kind.
    resamples : int
        Draws of networks for CKA.
    """
    gate = Gate(tables["training"])
    intervals: Intervals = {}
    reasons: dict[str, str] = {}
    public = tables.get("alignment_public")
    if public is not None and complete(public):
        _public(gate(public), intervals)
        deciding = public
    else:
        deciding = tables.get("alignment")
    if deciding is not None:
        _alignment(gate(deciding), "A", "", intervals, reasons)
        _few_and_more(gate(deciding), intervals, reasons)
    if "curves" in tables:
        _curves(gate(tables["curves"]), intervals)
    if "alignment_human" in tables:
        for region in ("EVC", "IT"):
            table = tables["alignment_human"].query("area == @region")
            _alignment(gate(table), region, f"-{region}", intervals, reasons)
    _stages(tables, gate, intervals)
    _cka(tables["cka"], gate, intervals, resamples)
    _decoding(tables["decoding"], intervals)
    return [_judged(claim, intervals, reasons, tables, gate, n_seeds) for claim in CLAIMS]


def _judged(
    claim: Claim,
    intervals: Intervals,
    reasons: Mapping[str, str],
    tables: Tables,
    gate: Gate,
    n_seeds: int,
) -> Judgement:
    reason = reasons.get(claim.id, "")
    if claim.id in STAGED and tables["cka"]["stage"].isna().all():
        return judge(claim, {}, n_seeds=n_seeds, reason=NO_STAGES)
    if claim.id in reasons:
        return judge(claim, {}, n_seeds=n_seeds, reason=reason)
    evidence = EVIDENCE[claim.id]
    lacking = {"alignment": NO_V4, "curves": NO_V4, "alignment_human": NO_HUMAN}
    if evidence not in tables:
        reason = lacking.get(evidence, "")
    if evidence == "alignment_public" and not complete(tables.get(evidence)):
        reason = NO_PUBLIC
    counted = evidence != "decoding" and gate.failed
    condition = f"without {len(gate.failed)} networks that did not learn" if counted else ""
    if evidence in ("alignment", "curves") and complete(tables.get("alignment_public")):
        condition = "; ".join(filter(None, (condition, FOUR)))
    if evidence == "decoding":
        condition = _layers_meant(tables["decoding"])
    if claim.id == "X4":
        return _natural(claim, intervals, tables["training"], n_seeds, condition, reason)
    return judge(claim, intervals, n_seeds=n_seeds, condition=condition, reason=reason)


def _natural(
    claim: Claim,
    intervals: Intervals,
    training: pd.DataFrame,
    n_seeds: int,
    condition: str,
    reason: str,
) -> Judgement:
    """Judge X4 with the photographs of a user; with few small ones report its numbers alone."""
    shown = training.loc[training["task_set"] == NATURAL, "variant"].unique()
    if not len(shown):
        return judge(claim, {}, n_seeds=n_seeds, condition=condition, reason=reason or NO_NATURAL)
    condition = "; ".join(filter(None, (condition, f"natural images: {shown[0]}")))
    found = judge(claim, intervals, n_seeds=n_seeds, condition=condition, reason=reason)
    if shown[0] != CIFAR10 or not intervals.keys() & {part.name for part in claim.parts}:
        return found
    parts = tuple(
        replace(part, verdict=Verdict.NOT_TESTED, reason=ONLY_REPORTED) for part in found.parts
    )
    return replace(found, verdict=Verdict.NOT_TESTED, parts=parts, reason=ONLY_REPORTED)


def _layers_meant(table: pd.DataFrame) -> str:
    """Say which layers stand for layer4 and avgpool in networks that have others."""
    deep, pooled = (table.loc[table["role"] == role, "layer"].iloc[0] for role in ROLES)
    same = deep.startswith("layer4.") and pooled == "avgpool"
    return "" if same else f"{deep} for layer4, {pooled} for avgpool"


def _by_seed(table: pd.DataFrame, task_set: str, variant: str = "full") -> pd.Series:
    rows = table[(table["task_set"] == task_set) & (table["variant"] == variant)]
    return rows.groupby("seed")["value"].mean()


def _put(intervals: Intervals, name: str, values: pd.Series) -> None:
    values = values.dropna()
    if len(values):
        intervals[name] = t_interval(values.to_numpy(), level=LEVEL)


def _alignment(
    table: pd.DataFrame, name: str, suffix: str, intervals: Intervals, reasons: dict[str, str]
) -> None:
    """X1 and X2 of one region: at the layer that other data chose, mean over sessions."""
    chosen = _chosen(table)
    untrained, category = _by_seed(chosen, UNTRAINED), _by_seed(chosen, "category")
    if not _above(category, untrained):
        reasons |= dict.fromkeys((f"X2{suffix}", f"X2{suffix}-full"), NO_BASE.format("category"))
    for s in (*SPATIAL, *PAIRS):
        own = _by_seed(chosen, s)
        _put(intervals, f"{name} {s} - untrained", own - untrained)
        beyond = _beyond(own, untrained, category)
        _put(intervals, f"{name} {s} - .3 untrained - .7 category", beyond)


def _chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row a network and area with its score at the chosen layer, as ``value``."""
    keys = ["task_set", "variant", "seed", "area"]
    return table.groupby(keys, as_index=False)["chosen"].first().rename(columns={"chosen": "value"})


def _beyond(own: pd.Series, base: pd.Series, top: pd.Series) -> pd.Series:
    """Return how far scores are beyond 70 % of the way from a base to others (5.4)."""
    return own - 0.3 * base - 0.7 * top


def _above(scores: pd.Series, base: pd.Series) -> bool:
    """Whether scores are above a base, as far as there are seeds to tell."""
    gain = (scores - base).dropna()
    return len(gain) < 2 or bool(t_interval(gain.to_numpy(), level=LEVEL).low > 0)


def _few_and_more(table: pd.DataFrame, intervals: Intervals, reasons: dict[str, str]) -> None:
    """X3, X4, X13 and X17."""
    chosen = _chosen(table)
    spatial, untrained = _by_seed(chosen, "spatial"), _by_seed(chosen, UNTRAINED)
    for photographs in chosen.loc[chosen["task_set"] == NATURAL, "variant"].unique():
        natural = _by_seed(chosen, NATURAL, photographs)
        beyond = _beyond(spatial, untrained, natural)
        _put(intervals, "A spatial - .3 untrained - .7 natural", beyond)
        if not _above(natural, untrained):
            reasons["X4"] = NO_BASE.format("natural")
    for n in (*FEW, *MORE):
        few = _by_seed(chosen, "category", f"ncat {n}")
        _put(intervals, f"A spatial - category of {n}", spatial - few)
    for variant, sets in (("one_category", CATEGORY_SETS), ("centred", TRANSLATION_SETS)):
        drops = [_by_seed(chosen, s) - _by_seed(chosen, s, variant) for s in sets]
        _put(intervals, f"A full - {variant}", pd.concat(drops, axis=1).mean(axis=1, skipna=False))
    sizes = chosen[chosen["variant"].str.startswith("images ")]
    if not sizes.empty:
        slopes = {}
        for seed, rows in sizes.groupby("seed"):
            n = rows["variant"].str.removeprefix("images ").astype(float)
            slopes[seed] = float(np.polyfit(np.log10(n), rows["value"], 1)[0])
        _put(intervals, "slope of A on log10 images", pd.Series(slopes))


def _curves(table: pd.DataFrame, intervals: Intervals) -> None:
    """X5: r of performance and alignment over the snapshots of a run, Fisher z over runs."""
    for s in CURVES:
        rows = table[(table["task_set"] == s) & (table["variant"] == "full")]
        if len(rows) and (r := curve_correlations(rows)["r"]).notna().any():
            intervals[f"r of performance and A, {s}"] = mean_correlation(r.to_numpy())


def _stages(tables: Tables, gate: Gate, intervals: Intervals) -> None:
    """X14 and X15: at which depth an area is best predicted."""
    if "alignment_human" in tables:
        best = gate(tables["alignment_human"]).query(
            "best and variant == 'full' and task_set not in ('pixels', @UNTRAINED)"
        )
        keys = ["task_set", "seed"]
        if best["stage"].notna().any():
            depth = best.pivot_table(index=keys, columns="area", values="stage")
            intervals["share EVC before IT"] = share(depth["EVC"] < depth["IT"])
            intervals["share IT before layer4"] = share(depth["IT"] < 4)
    if "alignment" in tables:
        best = gate(tables["alignment"]).query("best and variant == 'full'")
        _put(intervals, "V4 stage category - spatial", _later_in_category(best))


def _public(table: pd.DataFrame, intervals: Intervals) -> None:
    """X1 of each region, X14 and X15, of public assemblies."""
    for region in REGIONS:
        chosen = _chosen(table[table["area"] == region])
        untrained = _by_seed(chosen, UNTRAINED)
        for s in SPATIAL:
            own = _by_seed(chosen, s)
            _put(intervals, f"{region} {s} - untrained, public", own - untrained)
    best = table[table["best"] & (table["variant"] == "full")].dropna(subset="stage")
    trained = best[~best["task_set"].isin(("pixels", UNTRAINED))]
    if trained.empty:
        return
    depth = trained.pivot_table(index=["task_set", "seed"], columns="area", values="stage")
    v1, v2, it = depth["V1"], depth["V2"], depth["IT"]
    intervals["share V1 <= V2 <= IT, public"] = share((v1 <= v2) & (v2 <= it))
    intervals["share IT before layer4, public"] = share(it < 4)
    late = _later_in_category(best[best["area"] == "V4"])
    _put(intervals, "V4 stage category - spatial, public", late)


def _later_in_category(best: pd.DataFrame) -> pd.Series:
    """Return the stage of the best layer in category networks less that in spatial ones."""
    stages = best.assign(value=best["stage"])
    spatial = pd.concat([_by_seed(stages, s) for s in SPATIAL], axis=1).mean(axis=1)
    return _by_seed(stages, "category") - spatial


def share(yes: pd.Series) -> Interval:
    """Return a share with Wilson's interval."""
    n, hits = len(yes), int(yes.sum())
    bounds = stats.binomtest(hits, n).proportion_ci(LEVEL, method="wilson")
    return Interval(hits / n, bounds.low, bounds.high, LEVEL, n, "Wilson")


def _cka(table: pd.DataFrame, gate: Gate, intervals: Intervals, resamples: int) -> None:
    """X6, X7, X8 and X16: contrasts of blocks of the matrix of networks."""
    table = table[(table["variant_a"] != GIVEN) & (table["variant_b"] != GIVEN)]
    blocks = Blocks(table, gate)
    s, c, u = ("spatial", "full"), ("category", "full"), (UNTRAINED, "full")
    if not blocks.has(s, c) or table["stage"].isna().all():
        return

    def contrast(name: str, statistic: Callable[[Draw], float]) -> None:
        intervals[name] = blocks.interval(statistic, resamples)

    contrast("CKA(S, C) layer1 - layer4", lambda d: d("layer1", s, c) - d("layer4", s, c))
    for layer in ("layer3", "layer4"):
        contrast(
            f"CKA within - between {layer}",
            lambda d, at=layer: (d(at, s, s) + d(at, c, c)) / 2 - d(at, s, c),  # type: ignore[misc]
        )
    for layer in ("layer2", "layer3", "layer4"):
        contrast(
            f"CKA(S, C) - CKA(S, U) {layer}",
            lambda d, at=layer: d(at, s, c) - d(at, s, u),  # type: ignore[misc]
        )
    reference = (REFERENCE, "full")
    for variant, sets in (("one_category", CATEGORY_SETS), ("centred", TRANSLATION_SETS)):
        pairs = [(x, variant) for x in sets]
        if blocks.has(reference, *pairs, *((x, "full") for x in sets)):
            contrast(
                f"CKA to reference full - {variant}",
                lambda d, kind=variant, sets=sets: float(  # type: ignore[misc]
                    np.mean(
                        [
                            d("layer4", (x, "full"), reference) - d("layer4", (x, kind), reference)
                            for x in sets
                        ]
                    )
                ),
            )


def _decoding(table: pd.DataFrame, intervals: Intervals) -> None:
    """X9 to X12, of all networks: what was learned counts for alignment and CKA alone."""
    table = table.rename(columns={"score": "value"})
    full = table[table["tested_on"] == "full"]
    category, position = (full[full["target"] == target] for target in ("category", "position"))
    deep, pooled = category[category["role"] == "deep"], position[position["role"] == "pooled"]
    untrained = _by_seed(deep, UNTRAINED)
    for s in SPATIAL:
        _put(intervals, f"category {s} - untrained layer4", _by_seed(deep, s) - untrained)
        chance = float(category["chance"].iloc[0])
        own, theirs = _at_best(category, s), _at_best(category, "category")
        _put(
            intervals,
            f"category (C - chance)/3 - (S - chance) {s}",
            (theirs - chance) / 3 - (own - chance),
        )
    for s in CATEGORY_SETS:
        drop = _by_seed(deep, s) - _by_seed(deep, s, "one_category")
        _put(intervals, f"category full - one_category {s}", drop)
    for s in TRANSLATION_SETS:
        drop = _by_seed(pooled, s) - _by_seed(pooled, s, "centred")
        _put(intervals, f"position full - centred {s}", drop)
        drop = _by_seed(pooled, s, "direct") - _by_seed(pooled, s, "direct centred")
        _put(intervals, f"position direct - direct centred {s}", drop)
    _put(intervals, "graded category", _graded(deep, CATEGORY_SETS, "ncat ", "one_category"))
    _put(intervals, "graded position", _graded(pooled, TRANSLATION_SETS, "position ", "centred"))


def _at_best(table: pd.DataFrame, task_set: str) -> pd.Series:
    """Return the scores of a group at the layer that is best for it on average."""
    rows = table[(table["task_set"] == task_set) & (table["variant"] == "full")]
    if rows.empty:
        return pd.Series(dtype=float)
    best = rows.groupby("layer")["value"].mean().idxmax()
    return rows[rows["layer"] == best].groupby("seed")["value"].mean()


def _graded(table: pd.DataFrame, sets: Sequence[str], prefix: str, least: str) -> pd.Series:
    """Return Spearman's correlation of variability and decoding per seed, mean over sets."""
    rows = table[table["task_set"].isin(sets)].copy()
    amount = rows["variant"].str.removeprefix(prefix).where(rows["variant"].str.startswith(prefix))
    amount = pd.to_numeric(amount, errors="coerce")
    floor = 1.0 if least == "one_category" else 0.0
    amount = amount.mask(rows["variant"] == least, floor).mask(rows["variant"] == "full", np.inf)
    rows = rows.assign(amount=amount).dropna(subset="amount")
    found: dict[object, list[float]] = {}
    for (_, seed), run in rows.groupby(["task_set", "seed"]):
        if run["amount"].nunique() >= 3:
            rho = float(stats.spearmanr(run["amount"], run["value"]).statistic)
            found.setdefault(seed, []).append(rho)
    return pd.Series({seed: np.mean(values) for seed, values in found.items()}, dtype=float)
