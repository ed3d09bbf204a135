"""The claims of the study, declared before any run (specification, section 6).

Smallest effects of interest: .05 of a correlation r, .02 of a rank correlation rho of RDMs, .10 of
FEV, .05 of C_lin. Claims whose areas differ in images and repetitions are confounded and cannot be
shown. Claims of simulated areas (T) test the tool and are never evidence.
"""

from __future__ import annotations

from isocortex.claims import Claim, Part
from isocortex.studies.farahat2025.areas import TANG
from isocortex.studies.farahat2025.full_claims import FULL_CLAIMS, FULL_NEEDS, FULL_TRAINED

R_EFFECT, RHO_EFFECT, FEV_EFFECT, C_EFFECT = 0.05, 0.02, 0.10, 0.05
SEEDS = 5
CELLS = (0, 1, 2)
SESSIONS = ("v4-201025", "v4-190923", "v4-210225")
"""Sessions with natural images; 210325 (with single trials) stands beside in FEV."""

CEILING = {"EVC": 0.239, "IT": 0.449}
"""Lower noise ceilings of the 92 objects, by which gains are divided."""

REFERENCE_FLOOR = 0.033
"""Mean Wasserstein distance of random halves of the recorded cells."""

NEEDS = {
    **dict.fromkeys(("R1", "R7"), ("objects92", "cifar10")),
    **dict.fromkeys(("R1m", "R7m"), (TANG, *SESSIONS, "cifar10")),
    **dict.fromkeys(("R2a", "R2b"), (TANG,)),
    "R2c": SESSIONS,
    **dict.fromkeys(("R3 EVC", "R4 EVC", "R6", "R6e"), ("objects92", "bsds500")),
    **dict.fromkeys(("R3 V1", "R4 V1"), (TANG, "bsds500")),
    **dict.fromkeys(("R3 V4", "R4 V4", "R12", "R13"), (*SESSIONS, "bsds500")),
    "R5": ("bsds500",),
    "R6m": (TANG, *SESSIONS, "bsds500"),
    "R8": (TANG, *SESSIONS, "objects92", "cifar10", "bsds500"),
    "R9a": ("ringach2002", "bsds500"),
    **dict.fromkeys(("R9b", "R9c"), ("ringach2002", "cifar10", "bsds500")),
    **dict.fromkeys(("R10a", "R10b"), ("real-brodatz", "mnist")),
    "R11": ("real-brodatz", "mnist", "bsds500"),
    **FULL_NEEDS,
}
"""Data that a claim speaks of; others in their place decide nothing. Random networks with a gain
are calibrated on bsds500."""

TRAINED = ("R1", "R1m", "R7", "R7m", "R9b", "R9c", "T1", "T2c", "T7", *FULL_TRAINED)
"""Claims about networks that were trained on objects, and so must name some."""

CONFOUNDED = frozenset({"R1m", "R6m", "R7m"})
SIMULATIONS = frozenset({"T1", "T2c", "T3", "T4", "T7"})


def _part(name: str, text: str, test: str, threshold: float) -> Part:
    """Return a part; below 0, not below the smallest effect, is what contradicts "above"."""
    return Part(name, text, test, threshold, against=0.0 if test == "above" else None)


_CELL = {c: f"cell {c + 1}" for c in CELLS}


def _v1(name: str, text: str, test: str = "above", threshold: float = R_EFFECT) -> list[Part]:
    return [
        _part(f"{name} {_CELL[c]}", f"V1 {_CELL[c]}, r: {text}", test, threshold) for c in CELLS
    ]


def _v4(name: str, text: str, test: str = "above", threshold: float = R_EFFECT) -> list[Part]:
    return [_part(f"{name} {s}", f"{s.upper()}, r: {text}", test, threshold) for s in SESSIONS]


def _one(name: str, text: str, test: str = "above", threshold: float = 0.0) -> tuple[Part, ...]:
    return (_part(name, text, test, threshold),)


_R3 = "smallest of ReLU-avg minus identity, tanh, sigmoid-avg, random"
_R4 = "smallest of max minus avg over identity, tanh, sigmoid, random"

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "R1",
        "Training on objects helps late more than early human cortex",
        "direction only",
        _one("R1 human", "ReLU-max, gain in rho over its ceiling: IT minus EVC"),
        SEEDS,
        "paper",
    ),
    Claim(
        "R1m",
        "The same in the macaque, V4 against V1",
        "direction only",
        _one("R1 macaque", "ReLU-max, gain in r: V4 minus V1", threshold=R_EFFECT),
        SEEDS,
        "paper; confounded: other images, cells and repetitions",
    ),
    Claim(
        "R2a",
        "Training on V1 itself adds little with ReLU or max pooling",
        "direction only",
        tuple(
            part
            for net in ("relu-avg", "relu-max", "identity-max")
            for part in _v1(f"R2a {net}", f"{net}, trained minus frozen", "band")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "R2b",
        "It adds more without either",
        "direction only",
        tuple(_v1("R2b", "gain of identity, tanh, sigmoid-avg minus that of the nets of R2a")),
        SEEDS,
        "paper",
    ),
    Claim(
        "R2c",
        "Training on the data helps a later area",
        "direction only",
        tuple(_v4("R2c", "ReLU-max, trained minus frozen")),
        SEEDS,
        "paper; V4 in place of IT is a proposal",
    ),
    Claim("R3 V1", "Random ReLU networks predict V1 better than smooth ones", "direction only",
          tuple(_v1("R3", _R3)), SEEDS, "paper"),
    Claim("R3 V4", "The same in V4", "direction only", tuple(_v4("R3", _R3)), SEEDS, "paper"),
    Claim("R3 EVC", "The same in human early visual cortex", "direction only",
          _one("R3 EVC", f"EVC, rho: {_R3}", threshold=RHO_EFFECT), SEEDS, "paper; secondary"),
    Claim("R4 V1", "Max pooling makes up for a smooth activation in V1", "direction only",
          tuple(_v1("R4", _R4)), SEEDS, "paper"),
    Claim("R4 V4", "The same in V4", "direction only", tuple(_v4("R4", _R4)), SEEDS, "paper"),
    Claim("R4 EVC", "The same in human early visual cortex", "direction only",
          _one("R4 EVC", f"EVC, rho: {_R4}", threshold=RHO_EFFECT), SEEDS, "paper; secondary"),
    Claim(
        "R5",
        "ReLU and max pooling make networks more complex",
        "direction only",
        _one(
            "R5",
            "C_lin, block 1: least of ReLU-avg, any max; minus most of identity, tanh, sigmoid-avg",
            threshold=C_EFFECT,
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "R6",
        "Complexity accounts for early more than for late human cortex, over networks",
        "63 / 55 %, reading uncertain",
        _one("R6 c_lin human", "R2 of rho on C_lin (block 1) over configurations: EVC minus IT"),
        SEEDS,
        "paper",
    ),
    Claim(
        "R6m",
        "The same in the macaque, V1 against V4",
        "63 / 55 %, reading uncertain",
        _one("R6 c_lin macaque", "R2 of r on C_lin (block 1) over configurations: V1 minus V4"),
        SEEDS,
        "paper; confounded: other images, cells and repetitions",
    ),
    Claim(
        "R6e",
        "Rival: evenness in place of complexity",
        "not tested",
        _one("R6 e_even human", "R2 of rho on evenness (block 1), over configurations: EVC - IT"),
        SEEDS,
        "proposal",
    ),
    Claim(
        "R7",
        "Shuffled weights cost late more than early human cortex",
        "direction only",
        tuple(
            _part(f"R7 {kind} human", f"{kind}: drop in rho / ceiling, IT minus EVC", "above", 0.0)
            for kind in ("S2", "S3")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "R7m",
        "The same in the macaque, V4 against V1",
        "direction only",
        tuple(
            _part(f"R7 {kind} macaque", f"{kind}: drop in r, V4 minus V1", "above", R_EFFECT)
            for kind in ("S2", "S3")
        ),
        SEEDS,
        "paper; confounded: other images, cells and repetitions",
    ),
    Claim(
        "R8",
        "Monkey and human agree in sign",
        "yes",
        tuple(
            _part(f"R8 {which}", f"{which}: product of the signs in both species", "above", 0.0)
            for which in ("R1", "R3", "R6")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "R9a",
        "Of random networks, ReLU is tuned to orientation most like V1",
        "direction only",
        tuple(
            _part(f"R9a {rule}", f"W1, block 2, {rule}: least of the others minus ReLU-avg",
                 "above", 0.0)
            for rule in ("clip", "blanksub")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "R9b",
        "Trained ReLU is closest of all",
        "direction only",
        tuple(
            _part(f"R9b {rule}", f"W1, block 2, {rule}: least of all others minus trained ReLU-avg",
                 "above", 0.0)
            for rule in ("clip", "blanksub")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "R9c",
        "Random ReLU is on a par with other trained networks",
        "direction only",
        tuple(
            _part(f"R9c {rule}", f"W1, block 2, {rule}: random ReLU-avg minus median of trained"
                 " tanh and identity-avg", "below", REFERENCE_FLOOR)
            for rule in ("clip", "blanksub")
        ),
        SEEDS,
        "paper",
    ),
    Claim("R10a", "Random ReLU is the best of random networks at texture", "direction only",
          _one("R10a", "accuracy, composition A, channel means: ReLU-avg minus the best other"),
          SEEDS, "paper"),
    Claim("R10b", "It is slightly below the network trained on it", "direction only",
          _one("R10b", "accuracy, ReLU-avg: trained minus random", "below", 0.10), SEEDS,
          "paper; size is a proposal"),
    Claim("R11", "Complexity is tied to texture more than to digits", "direction only",
          _one("R11", "R2 of accuracy on C_lin over configurations: texture minus digit"), SEEDS,
          "paper, unverified"),
    Claim(
        "R12",
        "Oddness, not lack of complexity, is the handicap of tanh",
        "not tested",
        (
            *_v4("R12", "tanh-avg, random biases of SD 1 minus none"),
            _part("R12 c_lin", "C_lin, block 1: tanh-avg, biased minus not", "band", C_EFFECT),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "R13",
        "More complexity is not always better",
        "not tested",
        (
            *_v4("R13", "random ReLU-avg minus abs-avg", threshold=0.0),
            _part("R13 c_lin", "C_lin, block 1: abs-avg minus ReLU-avg", "above", C_EFFECT),
        ),
        SEEDS,
        "proposal",
    ),
    Claim("T1", "Tool: training on objects helps simulated IT more than simulated V1",
          "known by construction",
          _one("T1", "ReLU-max, gain in FEV: IT minus twice V1"), 0, "simulation, never evidence"),
    Claim("T2c", "Tool: training on the data helps simulated IT", "known by construction",
          _one("T2c", "ReLU-max, FEV: trained minus frozen", threshold=FEV_EFFECT), 0,
          "simulation, never evidence"),
    Claim("T3", "Tool: ReLU predicts simulated V1 best", "known by construction",
          _one("T3", f"simulated V1, FEV: {_R3}", threshold=FEV_EFFECT), 0,
          "simulation, never evidence"),
    Claim("T4", "Tool: max pooling helps smooth networks in simulated V1", "known by construction",
          _one("T4", f"simulated V1, FEV: {_R4}", threshold=0.05), 0, "simulation, never evidence"),
    Claim("T7", "Tool: shuffling costs simulated IT relatively more", "known by construction",
          tuple(_part(f"T7 {kind}", f"{kind}: relative drop in FEV, IT minus V1", "above", 0.0)
                for kind in ("S2", "S3")), 0, "simulation, never evidence"),
    *FULL_CLAIMS,
)  # fmt: skip

EVIDENCE = {
    **dict.fromkeys(("R1", "R6", "R6e", "R7", "R3 EVC", "R4 EVC"), "rsa"),
    **dict.fromkeys(("R2a", "R2b", "R2c", "T2c"), "neural"),
    **dict.fromkeys(
        (
            "R1m",
            "R3 V1",
            "R3 V4",
            "R4 V1",
            "R4 V4",
            "R6m",
            "R7m",
            "R12",
            "R13",
            "T1",
            "T3",
            "T4",
            "T7",
            *(claim.id for claim in FULL_CLAIMS),
        ),
        "encoding",
    ),
    "R5": "complexity",
    **dict.fromkeys(("R9a", "R9b", "R9c"), "selectivity"),
    **dict.fromkeys(("R10a", "R10b", "R11"), "textures"),
}
"""The table that the numbers of a claim are means of."""
