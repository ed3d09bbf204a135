"""Claims declared as data before a run, and verdicts that follow from intervals alone."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from isocortex.errors import UserError, unknown
from isocortex.statistics import Interval

TESTS = {"above": "> {:g}", "below": "< {:g}", "band": "|s| < {:g}"}
"""What a part may ask of its statistic s, and how the report writes it."""


OVER_NETWORKS = "percentile over networks"
"""Method of an interval whose draws, and whose n, are trained networks."""


class Verdict(enum.StrEnum):
    """What an interval says about a claim."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    CONTRADICTED = "contradicted"
    NOT_TESTED = "not tested"


# The part that decides is one of the worst verdict: the first here that any part has.
_WORST_FIRST = (Verdict.CONTRADICTED, Verdict.NOT_TESTED, Verdict.NOT_SHOWN, Verdict.SHOWN)


@dataclass(frozen=True)
class Part:
    """One inequality of a claim.

    Attributes
    ----------
    name : str
        Key of its interval in `judge`.
    text : str
        The statistic in words.
    test : {"above", "below", "band"}
        ``s > threshold``, ``s < threshold`` or ``|s| < threshold``.
    threshold : float
        In the units of the statistic; above 0 for a band.
    against : float, optional
        Of "above" alone: what an interval must lie below to contradict, at most the threshold,
        which it is by default. With 0 an effect of the right sign that is smaller than the one of
        interest does not contradict.
    """

    name: str
    text: str
    test: str
    threshold: float
    against: float | None = None

    def __post_init__(self) -> None:
        if self.test not in TESTS:
            raise unknown("test", self.test, TESTS)
        if not math.isfinite(self.threshold) or (self.test == "band" and self.threshold <= 0):
            raise UserError(
                f"part {self.name!r}: threshold {self.threshold} must be finite, above 0 for a band"
            )
        if self.against is not None and not (
            self.test == "above" and -math.inf < self.against <= self.threshold
        ):
            raise UserError(
                f"part {self.name!r}: against={self.against} is for test 'above', and at most its "
                "threshold"
            )

    @property
    def criterion(self) -> str:
        """The inequality, e.g. ``"> 0.2"``."""
        return TESTS[self.test].format(self.threshold)

    def judge(self, interval: Interval) -> Verdict:
        """Judge one interval: shown if it lies wholly inside, contradicted if wholly outside.

        Outside of "above" is what lies below `against`, or else below the threshold.
        """
        if not interval.defined:
            return Verdict.NOT_TESTED
        low, high, c = interval.low, interval.high, self.threshold
        inside, outside = {
            "above": (low > c, high < (c if self.against is None else self.against)),
            "below": (high < c, low > c),
            "band": (-c < low and high < c, low > c or high < -c),
        }[self.test]
        if inside:
            return Verdict.SHOWN
        return Verdict.CONTRADICTED if outside else Verdict.NOT_SHOWN

    def margin(self, interval: Interval) -> float:
        """Return how far the worst end of the interval is inside (positive) the inequality."""
        low, high, c = interval.low, interval.high, self.threshold
        if self.test == "above":
            return low - c
        return c - high if self.test == "below" else c - max(abs(low), abs(high))


@dataclass(frozen=True)
class Claim:
    """A statement that a run can show or contradict, fixed before the run.

    Attributes
    ----------
    id : str
        Short name, e.g. ``"F9"``.
    text : str
        The claim in one line.
    paper : str
        What the paper reports, or that it reports nothing.
    parts : tuple of Part
        All must be shown. A list is taken, too.
    seeds_needed : int
        Independent trainings below which the verdict is "not tested"; 0 if seeds play no role.
    basis : str
        Where the claim comes from: paper, proposal, derived.
    """

    id: str
    text: str
    paper: str
    parts: tuple[Part, ...]
    seeds_needed: int = 0
    basis: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        names = [part.name for part in self.parts]
        if not names:
            raise UserError(f"claim {self.id}: has no part; give at least one")
        if len(set(names)) < len(names):
            raise UserError(f"claim {self.id}: part names must differ, not {', '.join(names)}")


@dataclass(frozen=True)
class PartJudgement:
    """One part with its interval (None if there was none) and its verdict."""

    part: Part
    interval: Interval | None
    verdict: Verdict
    reason: str = ""

    @property
    def margin(self) -> float:
        """Least distance of the interval from the threshold; NaN without an interval."""
        return math.nan if self.interval is None else self.part.margin(self.interval)


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict, the parts it follows from, and why where it was not tested."""

    claim: Claim
    verdict: Verdict
    parts: tuple[PartJudgement, ...]
    n_seeds: int | None = None
    condition: str = ""
    reason: str = ""

    @property
    def deciding(self) -> PartJudgement:
        """The part that decides: of those with the worst verdict the one with least margin.

        If all parts are shown none of them decides more than another: the first one stands for all.
        """
        if self.verdict is Verdict.SHOWN:
            return self.parts[0]
        worst = next(v for v in _WORST_FIRST if any(p.verdict is v for p in self.parts))
        tied = [p for p in self.parts if p.verdict is worst]
        return min(tied, key=lambda p: math.inf if math.isnan(p.margin) else p.margin)


def judge(
    claim: Claim,
    intervals: Mapping[str, Interval],
    *,
    n_seeds: int | None = None,
    condition: str = "",
    reason: str = "",
) -> Judgement:
    """Judge a claim from the intervals of its parts.

    ``s > c`` is shown if the interval lies above c, contradicted if below (or below another value
    that the part declares, see `Part`), else not shown; ``s < c`` likewise; ``|s| < b`` is shown if
    the interval lies within the band, contradicted if wholly outside. Shown needs all parts; one
    contradicted part contradicts. With fewer seeds than the claim needs the verdict is "not tested"
    and the numbers are kept. A part without an interval, or with undefined bounds, leaves the claim
    not tested unless another contradicts it.

    Parameters
    ----------
    claim : Claim
        What was declared.
    intervals : mapping of str to Interval
        By part name. Names that are not parts of this claim are not looked at, so that one mapping
        may serve all claims of a study; a part without an interval says so in the reason.
    n_seeds : int, optional
        Independent trainings behind the intervals. Whatever it says, an interval over seeds
        (method ``"t"`` or `OVER_NETWORKS`) from fewer than the claim needs does not count.
    condition : str
        What the verdict holds for, e.g. ``"mnist"`` or ``"this net only"``.
    reason : str
        Why something is missing, e.g. ``"no recordings under ISOCORTEX_DATA"``.
    """
    few = ""
    if claim.seeds_needed and (n_seeds is None or n_seeds < claim.seeds_needed):
        had = "their number was not given" if n_seeds is None else f"there were {n_seeds}"
        few = f"needs {claim.seeds_needed} seeds, {had}"
    judged = tuple(
        _judge_part(p, intervals.get(p.name), reason, few or _too_few(claim, intervals.get(p.name)))
        for p in claim.parts
    )
    verdict = next(v for v in _WORST_FIRST if any(p.verdict is v for p in judged))
    reasons = dict.fromkeys(p.reason for p in judged if p.reason)
    return Judgement(claim, verdict, judged, n_seeds, condition, "; ".join(reasons) or reason)


def _too_few(claim: Claim, interval: Interval | None) -> str:
    """Say why an interval over seeds cannot count; undefined seeds may have been dropped."""
    over_seeds = interval is not None and interval.method in ("t", OVER_NETWORKS)
    if interval is None or not over_seeds or interval.n >= claim.seeds_needed:
        return ""
    return f"needs {claim.seeds_needed} seeds, {interval.n} are defined"


def _judge_part(part: Part, interval: Interval | None, reason: str, few: str) -> PartJudgement:
    if interval is None:
        why = f"no value for {part.name!r}" + (f": {reason}" if reason else "")
    elif not interval.defined:
        why = f"the interval of {part.name!r} is undefined"
    else:
        why = few
    verdict = Verdict.NOT_TESTED if why or interval is None else part.judge(interval)
    return PartJudgement(part, interval, verdict, why)


_NOTHING = Interval(math.nan, math.nan, math.nan)

BOARD_COLUMNS = [
    *("id", "claim", "paper", "value", "low", "high", "verdict", "n"),
    *("threshold", "part", "condition", "reason"),
]
PART_COLUMNS = [
    *("id", "part", "text", "test", "threshold", "value", "low", "high", "level", "n"),
    *("n_dropped", "method", "verdict", "margin", "condition", "reason"),
]


def board(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Tabulate one row per claim, with the numbers of the part that decides.

    Returns
    -------
    pandas.DataFrame
        Columns `BOARD_COLUMNS`; ``threshold`` is the inequality in words, ``n`` the units behind
        the interval.
    """
    rows = []
    for j in judgements:
        deciding = j.deciding
        interval = deciding.interval or _NOTHING
        rows.append(
            {
                "id": j.claim.id,
                "claim": j.claim.text,
                "paper": j.claim.paper,
                "value": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "verdict": str(j.verdict),
                "n": interval.n,
                "threshold": deciding.part.criterion,
                "part": deciding.part.text,
                "condition": j.condition,
                "reason": j.reason,
            }
        )
    return pd.DataFrame(rows, columns=BOARD_COLUMNS)


def parts(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Tabulate one row per part of each claim, columns `PART_COLUMNS`."""
    rows = []
    for j in judgements:
        for p in j.parts:
            interval = p.interval or _NOTHING
            rows.append(
                {
                    "id": j.claim.id,
                    "part": p.part.name,
                    "text": p.part.text,
                    "test": p.part.test,
                    "threshold": p.part.threshold,
                    "value": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "level": interval.level,
                    "n": interval.n,
                    "n_dropped": interval.n_dropped,
                    "method": interval.method,
                    "verdict": str(p.verdict),
                    "margin": p.margin,
                    "condition": j.condition,
                    "reason": p.reason,
                }
            )
    return pd.DataFrame(rows, columns=PART_COLUMNS)


def declaration_checksum(claims: Sequence[Claim]) -> str:
    """Return the sha256 of a declaration, whatever its order: proof that it stood before the run.

    Raises
    ------
    UserError
        If two claims share an id.
    """
    twice = [name for name, count in Counter(c.id for c in claims).items() if count > 1]
    if twice:
        raise UserError(f"claims are declared twice: {', '.join(twice)}; ids must differ")
    declared = [dataclasses.asdict(c) for c in sorted(claims, key=lambda c: c.id)]
    for claim in declared:
        for part in claim["parts"]:
            if part["against"] is None:  # as if it were not there: older declarations had none
                del part["against"]
    text = json.dumps(declared, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
