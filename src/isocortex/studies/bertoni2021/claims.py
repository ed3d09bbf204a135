"""The claims of the study, declared before any run (specification 6)."""

from __future__ import annotations

import tomllib
from importlib import resources

from isocortex.claims import Claim, Part

SEEDS = 3
"""Networks of an arm below which nothing is concluded."""

VALUES = "paper_values.toml"
"""What the paper is known to report, beside this file."""


def paper_values() -> dict[str, dict[str, str | float]]:
    """Return what is known of the paper's results: claim -> `said` and `value`."""
    text = resources.files(__package__).joinpath(VALUES).read_text(encoding="utf-8")
    found: dict[str, dict[str, str | float]] = tomllib.loads(text)
    return found


def paper(claim: str) -> str:
    """Return what the report says of the paper beside a claim: its number where one is known."""
    known = paper_values().get(claim, {})
    value = known.get("value", "")
    return f"{value:g}" if isinstance(value, float | int) else str(known.get("said", ""))


def _above(name: str, text: str, threshold: float = 0.0) -> Part:
    return Part(name, text, "above", threshold)


def _below(name: str, text: str, threshold: float = 0.0) -> Part:
    return Part(name, text, "below", threshold)


def _band(name: str, text: str, width: float) -> Part:
    return Part(name, text, "band", width)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "B1",
        "Learning to name images gives a filter in front that is a Laplacian of Gaussian",
        paper("B1"),
        (
            _above("gate", "G1 of the filter in front"),
            _above("radial share gained", "radial share Q at the end minus at the beginning"),
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "B2",
        "Reconstruction with a price on the power of the code gives it",
        paper("B2"),
        (
            _above("positive gate", "G1 of the codec's filter"),
            _above("positive radial share", "radial share Q of the codec's filter", 0.85),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B3",
        "It does not come without its cause",
        paper("B3"),
        (
            _above("Q positive - unpenalised", "Q: positive case minus no price, unit variance"),
            _above("Q positive - white", "Q: positive case minus white-noise images"),
            _below("white gate", "G1 of the codec of white noise"),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B4",
        "The filter obeys the amplitude law; random phases give the same amplitude",
        paper("B4"),
        (
            _above("law r", "r of log amplitudes with the law, below 0.2 c/px", 0.8),
            _below(
                "amplitude difference",
                "mean relative difference of the amplitudes for photographs and random phases",
                0.2,
            ),
        ),
        SEEDS,
        "derived",
    ),
    Claim(
        "B4 full",
        "The same up to 0.3 c/px (full scale)",
        paper("B4 full"),
        (
            _above("law r wide", "r of log amplitudes with the law, below 0.3 c/px", 0.8),
            _below(
                "amplitude difference wide",
                "mean relative difference of the amplitudes, below 0.3 c/px",
                0.2,
            ),
        ),
        SEEDS,
        "derived",
    ),
    Claim(
        "B5",
        "Filters of the first layer are Gabors",
        paper("B5"),
        (_above("gabor gain", "mean over filters of r minus r of its surrogates"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "B6",
        "The filter in front makes them better Gabors",
        paper("B6"),
        (_above("gabor gain with - without LGN", "the same, with minus without the filter"),),
        SEEDS,
        "sister paper",
    ),
    Claim(
        "B7",
        "Neither the filter in front nor lateral connections change accuracy much",
        paper("B7"),
        (
            _band("accuracy with - without LGN", "accuracy with minus without the filter", 0.02),
            _band("accuracy with - without K", "with minus without lateral connections", 0.02),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B8",
        "Lateral connections are strongest between units of like orientation",
        paper("B8"),
        (_above("log LR - permuted", "log like ratio minus its mean under permutation"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "B9",
        "They are so beyond the overlap of the filters",
        paper("B9"),
        (_above("log LR residual", "log like ratio of the residual on the overlap"),),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B9 full",
        "They are so where filters do not overlap any more (full scale)",
        paper("B9 full"),
        (_above("log LR beyond", "log like ratio beyond the radius of the overlap"),),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B10",
        "Lateral connections run along the contour",
        paper("B10"),
        (
            _above("log axial", "log axial ratio"),
            _above("log axial - overlap", "log axial ratio minus that of the overlap"),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B11",
        "The field of preferred orientation is co-circular rather than parallel",
        paper("B11"),
        (_above("e_p - e_c", "error of the parallel minus that of the co-circular field, r >= 2"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "B11 full",
        "The same from 3 px outwards (full scale)",
        paper("B11 full"),
        (_above("e_p - e_c, r >= 3", "the same difference in degrees, r >= 3"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "B12",
        "The field turns with direction as that of a contour process",
        paper("B12"),
        (_above("beta - beta of overlap", "slope minus that of the overlap, r >= 2"),),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B12 full",
        "The same from 5 px outwards (full scale)",
        paper("B12 full"),
        (_above("beta - beta of overlap, r >= 5", "slope minus that of the overlap, r >= 5"),),
        SEEDS,
        "proposal",
    ),
    Claim(
        "B13",
        "Iterated lateral connections draw association fields",
        paper("B13"),
        (
            _above("axial share - overlap", "share of activity along the axis minus overlap's"),
            _above("rms ray - rms arc", "distance of lines to rays minus that to arcs (px)"),
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "B14",
        "A stochastic kernel predicts lateral connections better than the overlap",
        paper("B14"),
        (
            _above(
                "R2 stochastic - overlap",
                "held-out R2 of the better contour process minus that of the overlap",
            ),
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "B15",
        "Contours of photographs are co-axial beyond their spectrum",
        paper("B15"),
        (
            _above(
                "axial, photographs - random phase",
                "axial ratio at 8-20 px, photographs minus random phases",
            ),
        ),
        0,
        "proposal",
    ),
    Claim(
        "B16",
        "The direction process explains them better than diffusion, and not their spectrum",
        paper("B16"),
        (
            _above(
                "direction - diffusion",
                "phi-centred r at 8-20 px, direction process minus diffusion",
            ),
            _above(
                "direction, photographs - random phase",
                "phi-centred r of the direction process, photographs minus random phases",
            ),
        ),
        0,
        "Sanguinetti et al. 2010 (form)",
    ),
    Claim(
        "B17",
        "Filters of trained first layers induce like-to-like, co-axial connections",
        paper("B17"),
        (
            _above("induced log LR - control", "log like ratio minus blurred random filters'"),
            _above("induced log axial - control", "log axial ratio minus blurred random filters'"),
        ),
        SEEDS,
        "metric model",
    ),
)

FULL = frozenset({"B4 full", "B9 full", "B11 full", "B12 full"})
"""Claims that only a run at full scale judges."""

LATERAL = frozenset(
    {"B8", "B9", "B9 full", "B10", "B11", "B11 full", "B12", "B12 full", "B13", "B14"}
)
"""Claims about lateral connections, which need retained filters."""

EVIDENCE = {
    "B1": "emergence",
    **dict.fromkeys(("B2", "B3"), "codecs"),
    **dict.fromkeys(("B4", "B4 full"), "amplitudes"),
    **dict.fromkeys(("B5", "B6"), "filters"),
    "B7": "networks",
    "B8": "null",
    **dict.fromkeys(("B9", "B9 full", "B10", "B11", "B11 full", "B12", "B12 full"), "lateral"),
    "B13": "association",
    "B14": "comparison",
    **dict.fromkeys(("B15", "B16"), "contour_contrasts"),
    "B17": "induced_contrast",
}
"""The table that the numbers of a claim are made of."""
