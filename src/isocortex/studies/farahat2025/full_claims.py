"""Claims of the full scale, about recordings that users fetch: areas of one animal, same images.

The statistics are those of the small claims, in FEV. Early and late areas saw the same images in
the same animals or people, so that no contrast is confounded.
"""

from __future__ import annotations

from isocortex.claims import Claim, Part

FULL_SEEDS = 10
FULL_EFFECT, FEV_EFFECT = 0.05, 0.10
MONKEYS = ("tvsd-monkeyN", "tvsd-monkeyF")
PEOPLE = ("things-fmri-01", "things-fmri-02", "things-fmri-03")
CADENA = "v1-cadena"
LATE = {**dict.fromkeys(MONKEYS, "IT"), **dict.fromkeys(PEOPLE, "VO")}
"""Recording -> its late area, held against V1."""

KINDS = ("S2", "S3")


def _each(
    claim: str, recordings: tuple[str, ...], text: str, threshold: float, kinds: tuple[str, ...]
) -> tuple[Part, ...]:
    return tuple(
        Part(
            " ".join(filter(None, (claim, kind, recording))),
            " ".join(filter(None, (f"{recording}, FEV:", f"{kind}," if kind else "", text))),
            "above",
            threshold,
            against=0.0,
        )
        for recording in recordings
        for kind in (kinds or ("",))
    )


def _claim(
    identity: str,
    title: str,
    recordings: tuple[str, ...],
    text: str,
    threshold: float,
    kinds: tuple[str, ...] = (),
) -> Claim:
    parts = _each(identity.partition(" ")[0], recordings, text, threshold, kinds)
    return Claim(identity, title, "direction only", parts, FULL_SEEDS, "paper; full scale")


FULL_CLAIMS: tuple[Claim, ...] = (
    _claim("R1 TVSD", "Training on objects helps IT more than V1 of the macaque", MONKEYS,
           "ReLU-max, gain: IT minus V1", FULL_EFFECT),
    _claim("R1 THINGS", "Training on objects helps VO more than V1 of humans", PEOPLE,
           "ReLU-max, gain: VO minus V1", FULL_EFFECT),
    _claim("R3 V1 full", "Random ReLU networks predict V1 better than smooth ones",
           (CADENA, *MONKEYS), "least of ReLU-avg minus identity, tanh, sigmoid-avg", FEV_EFFECT),
    _claim("R4 V1 full", "Max pooling makes up for a smooth activation in V1",
           (CADENA, *MONKEYS), "least of max minus avg over identity, tanh, sigmoid", FEV_EFFECT),
    _claim("R6 TVSD", "Complexity accounts for V1 more than for IT of the macaque", MONKEYS,
           "R2 on C_lin (block 1) over configurations: V1 minus IT", 0.0),
    _claim("R6 THINGS", "Complexity accounts for V1 more than for VO of humans", PEOPLE,
           "R2 on C_lin (block 1) over configurations: V1 minus VO", 0.0),
    _claim("R7 TVSD", "Shuffled weights cost IT relatively more than V1 of the macaque", MONKEYS,
           "relative drop, IT minus V1", 0.0, KINDS),
)  # fmt: skip

FULL_NEEDS = {
    "R1 TVSD": (*MONKEYS, "cifar10"),
    "R1 THINGS": (*PEOPLE, "cifar10"),
    "R3 V1 full": (CADENA, *MONKEYS, "bsds500"),
    "R4 V1 full": (CADENA, *MONKEYS, "bsds500"),
    "R6 TVSD": (*MONKEYS, "bsds500"),
    "R6 THINGS": (*PEOPLE, "bsds500"),
    "R7 TVSD": (*MONKEYS, "cifar10"),
}
"""Data that each claim speaks of."""

FULL_TRAINED = ("R1 TVSD", "R1 THINGS", "R7 TVSD")
