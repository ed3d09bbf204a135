"""The claims of the study, declared before any run (specification, section 7).

Each part names the statistic whose interval decides it; `judging` computes the intervals under the
same names. M is the exact index; 1p, 2p and as are one mirror plane, two, and none.
"""

from __future__ import annotations

from isocortex.claims import Claim, Part
from isocortex.studies.farzmahdi2024.recordings import LAYERS

SMALLEST = 0.2
"""Smallest effect of interest: four standard deviations of one exemplar's null."""

SEEDS = 5
TRAINED = ("orig", "sym", "asym", "sym20")
FC = ("fc1", "fc2", "fc3")
LATER = "this experiment is not built yet"


def _above(name: str, text: str, threshold: float = SMALLEST) -> Part:
    return Part(name, text, "above", threshold)


def _below(name: str, text: str, threshold: float = SMALLEST) -> Part:
    return Part(name, text, "below", threshold)


def _band(name: str, text: str, threshold: float = SMALLEST) -> Part:
    return Part(name, text, "band", threshold)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "F1",
        "Tuning of objects with one mirror plane jumps at the first fully connected layer",
        "conv < .1, fc6 .57-.73",
        (_above("sym M(1p) fc1 - conv2_2", "sym: M(1p) at fc1 minus at the last conv layer"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F2",
        "The jump needs training",
        "direction only",
        tuple(
            _above(f"sym - none M(1p) {layer}", f"M(1p) at {layer}: sym minus untrained")
            for layer in ("fc1", "fc2")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "F3",
        "Objects with two mirror planes are mirror-symmetrically tuned at every depth",
        "car .86, boat .84",
        (
            _above("pixels M(2p)", "M(2p) of the pixels"),
            *(
                _above(f"{policy} M(2p) {layer}", f"{policy}: M(2p) at {layer}")
                for policy in TRAINED
                for layer in LAYERS
            ),
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "F4",
        "No such tuning without symmetric objects",
        "fruit .24, flower -.02",
        (
            *(
                _below(f"{policy} M(as) {layer}", f"{policy}: M(as) at {layer}")
                for policy in TRAINED
                for layer in FC
            ),
            _above("sym intact - broken fc1", "sym, fc1: M(1p) of intact minus broken objects"),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "F5",
        "Equivariance rises with depth of the conv layers; horizontal over vertical over 90 deg",
        "direction only",
        (
            _above("sym equivariance slope hflip", "sym: slope over conv layers, h-flip", 0.0),
            _above("sym equivariance hflip - vflip conv2_2", "sym, last conv: h minus v", 0.0),
            _above("sym equivariance vflip - rot90 conv2_2", "sym, last conv: v minus 90", 0.0),
        ),
        SEEDS,
        "paper; 90 deg suspect",
    ),
    Claim(
        "F6",
        "Invariance to the horizontal flip jumps at the first fully connected layer",
        "fc6 .79-.87",
        (_above("sym invariance hflip fc1 - conv2_2", "sym: fc1 minus last conv", 0.1),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F7",
        "Untrained h-equivariance is higher at the first and lower at the last conv layer",
        "direction only",
        (
            _above("none - sym equivariance hflip conv1_1", "untrained minus sym, conv1_1", 0.0),
            _above("sym - none equivariance hflip conv2_2", "sym minus untrained, conv2_2", 0.0),
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "F8",
        "Invariance is alike for all classes of symmetry, tuning is not",
        "range .79-.87",
        (
            _below("sym invariance range fc1", "sym, fc1: range of h-invariance over classes"),
            _above("sym M(1p) - M(as) fc1", "sym, fc1: M(1p) minus M(as)"),
        ),
        SEEDS,
        "derived",
    ),
    Claim(
        "F9",
        "Labels shared by mirror images are the cause",
        "direction only",
        tuple(
            _above(f"{policy} - asym M(1p) {layer}", f"M(1p) at {layer}: {policy} minus asym")
            for policy in ("sym", "sym20")
            for layer in ("fc1", "fc2")
        ),
        SEEDS,
        "paper + proposal",
    ),
    Claim(
        "F10",
        "Flips under the same label add to the original diet",
        "direction only",
        (_above("sym - orig M(1p) fc2", "M(1p) at fc2: sym minus orig"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F11",
        "A natural diet works without flips",
        "direction only",
        (_above("cifar10 - orig M(heads) fc2", "M(heads) at fc2: natural images minus orig"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F12",
        "Tuning reaches untrained categories",
        "direction only",
        (_above("sym M(heads) fc2", "sym: M(heads) at fc2"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F13",
        "The route is equivariance and pooling",
        "GAP about fc6",
        (
            _above("sym - none M(1p) gap", "M(1p) of global average pooling: sym minus untrained"),
            _band("sym M(1p) gap - fc1", "sym, M(1p): pooling minus fc1"),
        ),
        SEEDS,
        "paper; pilot against",
    ),
    Claim(
        "F14",
        "Tuning of networks tolerates shifts, that of a PCA view model does not",
        "direction only",
        (_above("drop PCA - drop fc1", "M(heads) lost by a 7 % shift: PCA minus sym fc1"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F15",
        "Few pixels carry the tuning",
        "direction only",
        tuple(
            _above(f"insertion - deletion {p} %", f"r(insert) minus r(delete) at {p} %", 0.0)
            for p in range(10, 100, 10)
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "F16",
        "Parts suffice without their layout",
        "direction only",
        (_band("M intact - shuffled", "M of intact minus shuffled parts"),),
        SEEDS,
        "paper",
    ),
    Claim(
        "F17",
        "More strictly mirror-symmetric units at the first fully connected layer",
        "9.1 against 3.0 %",
        (
            _above("log ratio trained / untrained", "log ratio of strict counts", 0.0),
            _above("log ratio trained / shuffled views", "log ratio of strict counts", 0.0),
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "F18",
        "Other networks peak alike",
        "AlexNet .57-.86, ResNet50 .67-.93 by category, fruit and flower left out",
        (_above("peak M over layers", "peak index of a given network; reported only"),),
        1,
        "paper",
    ),
    Claim(
        "F19",
        "The recorded face patch AM is mirror-symmetrically tuned",
        "positive",
        (
            _above("AM raw index", "median index over persons", 0.0),
            _above("AM raw index over the baseline", "the same, over its baseline at n = 5", -0.25),
            _below("AM null p", "p against views permuted separately per person", 0.05),
        ),
        1,
        "paper; seen in the pilot, not blind",
    ),
    Claim(
        "F20",
        "AM is fitted better by a fully connected than by a conv layer",
        "direction only",
        (_above("sym AM score fc1 - conv2_2", "sym: score at fc1 minus at the last conv", 0.0),),
        SEEDS,
        "paper; exploratory",
    ),
    Claim(
        "F21",
        "The flip-invariant part of the code carries the fit to AM",
        "direction only",
        (_above("phi_inv - phi_sens", "sym fc1: Shapley value, invariant minus sensitive", 0.0),),
        SEEDS,
        "paper; exploratory",
    ),
    Claim(
        "F22",
        "Light from the side lowers the tuning of objects with one mirror plane",
        "not tested",
        (
            _above("symmetric - side, filters + pooling", "symmetric filters, pooled, M(1p)"),
            _above("symmetric - side, sym fc1", "sym, fc1: M(1p)", 0.0),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "F23",
        "The index orders mirror-tuned, invariant and view-tuned populations",
        "not tested",
        (
            _above("M mirror - invariant", "simulated populations, n = 9"),
            _above("M invariant - view", "simulated populations, n = 9"),
        ),
        SEEDS,
        "derived",
    ),
)

NOT_BUILT = frozenset({"F14", "F15", "F16", "F17", "F21"})
"""Claims whose experiments are declared but not built yet: they stand as not tested."""

EVIDENCE = {
    **dict.fromkeys(("F1", "F2", "F3", "F4", "F9", "F10", "F11", "F12", "F13", "F22"), "index"),
    **dict.fromkeys(("F5", "F6", "F7", "F8"), "symmetry"),
    "F18": "given",
    "F19": "face_patch",
    "F20": "alignment",
    "F23": "simulated",
}
"""The table that the numbers of a claim are means of."""
