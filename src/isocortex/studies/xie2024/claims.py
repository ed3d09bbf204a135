"""The claims of the study, declared before any run (specification, section 8).

Each part names the statistic whose interval decides it; `judging` computes the intervals under the
same names. S are networks trained on spatial latents, C on categories, U untrained; A is the mean
over V4 sessions of the raw score, at a layer that the other sessions chose.
"""

from __future__ import annotations

from isocortex.claims import Claim, Part

SEEDS = 5
SPATIAL = ("distance", "translation", "rotation", "spatial")
"""The spatial sets of the small preset, whose claims they carry."""

PAIRS = ("distance+translation", "distance+rotation", "translation+rotation")
"""The other spatial sets, which full scale adds."""

FEW = (2, 4)
"""Numbers of categories of the controls with few categories."""

MORE = (8,)
"""Those that full scale adds; with 16 the category network itself is reached."""

CURVES = ("distance", "translation", "rotation", "category", "identity")
"""The single targets whose performance is followed over training."""

CATEGORY_SETS = SPATIAL
TRANSLATION_SETS = ("distance", "rotation", "category", "identity")
"""Sets that do not learn the latent whose variability is taken away."""

STAGED = {"X6", "X7", "X8", "X14", "X14-public", "X15", "X15-public", "X16"}
"""Claims that speak of the stages of a ResNet."""

DIRECTION = "direction only"


def _above(name: str, text: str, threshold: float = 0.0) -> Part:
    """Differences and correlations are contradicted below 0 only (specification, 5.4)."""
    return Part(name, text, "above", threshold, against=0.0 if threshold else None)


def _share(name: str, text: str) -> Part:
    """Shares are contradicted below one half."""
    return Part(name, text, "above", 0.5)


def _most(name: str, text: str) -> Part:
    """At full scale shares must be above .8."""
    return Part(name, text, "above", 0.8, against=0.5)


def _comparable(name: str, sets: tuple[str, ...]) -> tuple[Part, ...]:
    """Return how far spatial networks come from untrained to category networks, against .7."""
    return tuple(
        _above(
            f"{name} {s} - .3 untrained - .7 category", f"{s} minus .3 untrained minus .7 category"
        )
        for s in sets
    )


def _few(counts: tuple[int, ...]) -> tuple[Part, ...]:
    """Return spatial networks against networks of so many categories."""
    return tuple(
        _above(f"A spatial - category of {n}", f"spatial minus {n} categories") for n in counts
    )


def _alignment(region: str, name: str, where: str) -> tuple[Claim, Claim]:
    """Return the first two claims for one region."""
    return (
        Claim(
            f"X1{region}",
            f"Spatially trained networks align better than untrained ones{where}",
            DIRECTION,
            tuple(_above(f"{name} {s} - untrained", f"{s} minus untrained") for s in SPATIAL),
            SEEDS,
            "code",
        ),
        Claim(
            f"X2{region}",
            f"Spatial networks align about as well as category networks{where}",
            "comparable",
            _comparable(name, SPATIAL),
            SEEDS,
            "paper; margin proposal",
        ),
    )


CLAIMS: tuple[Claim, ...] = (
    *_alignment("", "A", " with V4"),
    Claim(
        "X2-full",
        "The same of all seven spatial sets (full scale)",
        "comparable",
        _comparable("A", (*SPATIAL, *PAIRS)),
        SEEDS,
        "paper; margin proposal",
    ),
    Claim(
        "X3",
        "Networks that tell few categories apart do not beat spatial ones",
        DIRECTION,
        _few(FEW),
        SEEDS,
        "proposal",
    ),
    Claim(
        "X3-full",
        "The same of 2 to 8 categories (full scale)",
        DIRECTION,
        _few((*FEW, *MORE)),
        SEEDS,
        "proposal",
    ),
    Claim(
        "X4",
        "Spatial networks align about as well as networks trained on natural images",
        "rival",
        (_above("A spatial - .3 untrained - .7 natural", "spatial against natural images"),),
        SEEDS,
        "reviews",
    ),
    Claim(
        "X5",
        "Performance and alignment rise together over training",
        "r strong",
        tuple(
            _above(f"r of performance and A, {s}", f"{s}: mean r over runs (Fisher z)", 0.5)
            for s in CURVES
        ),
        SEEDS,
        "paper; .5 proposal",
    ),
    Claim(
        "X6",
        "Spatial and category networks grow apart with depth",
        "heat map",
        (_above("CKA(S, C) layer1 - layer4", "CKA of layer1 minus layer4", 0.1),),
        SEEDS,
        "paper; .1 proposal",
    ),
    Claim(
        "X7",
        "They are similar, not identical",
        "qualitative",
        tuple(
            _above(f"CKA within - between {layer}", f"{layer}: within minus between groups")
            for layer in ("layer3", "layer4")
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "X8",
        "Training makes them alike",
        DIRECTION,
        tuple(
            _above(f"CKA(S, C) - CKA(S, U) {layer}", f"{layer}: with category minus untrained")
            for layer in ("layer2", "layer3", "layer4")
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "X9a",
        "Spatial networks carry the category, which they never learned",
        DIRECTION,
        tuple(
            _above(f"category {s} - untrained layer4", f"{s} minus untrained, layer4")
            for s in SPATIAL
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "X9b",
        "Far less than category networks do",
        "at most about .1",
        tuple(
            _above(
                f"category (C - chance)/3 - (S - chance) {s}",
                f"a third of the category network's gain over chance, minus that of {s}",
            )
            for s in SPATIAL
        ),
        SEEDS,
        "reviews",
    ),
    Claim(
        "X10",
        "Seeing many categories lets spatial networks carry the category",
        "small",
        tuple(
            _above(f"category full - one_category {s}", f"{s}, layer4: many minus one category")
            for s in CATEGORY_SETS
        ),
        SEEDS,
        "paper",
    ),
    Claim(
        "X11",
        "Seeing objects off centre lets networks carry the position",
        DIRECTION,
        tuple(
            _above(f"position full - centred {s}", f"{s}, avgpool: off centre minus centred", 0.1)
            for s in TRANSLATION_SETS
        ),
        SEEDS,
        "paper; .1 proposal",
    ),
    Claim(
        "X11-direct",
        "The same where centring changes neither depth nor rotation",
        "not reported",
        tuple(
            _above(
                f"position direct - direct centred {s}",
                f"{s}, avgpool: off centre minus centred",
                0.1,
            )
            for s in TRANSLATION_SETS
        ),
        SEEDS,
        "control",
    ),
    Claim(
        "X12",
        "Both follow the amount of variability",
        "not reported",
        (
            _above("graded category", "mean Spearman of categories seen and decoding", 0.5),
            _above("graded position", "mean Spearman of the range of position and decoding", 0.5),
        ),
        SEEDS,
        "reviews",
    ),
    Claim(
        "X13",
        "Alignment grows with the number of distinct images",
        DIRECTION,
        (_above("slope of A on log10 images", "slope of A on log10 of distinct images"),),
        SEEDS,
        "reviews",
    ),
    Claim(
        "X14",
        "Early visual cortex maps to an earlier layer than IT",
        "table of layers",
        (_share("share EVC before IT", "share of networks whose EVC layer precedes"),),
        SEEDS,
        "code",
    ),
    Claim(
        "X15",
        "IT does not map to the last stage; V4 maps earlier in spatial than in category networks",
        "table of layers",
        (
            _share("share IT before layer4", "share of networks with IT before layer4"),
            _above("V4 stage category - spatial", "stage of V4: category minus spatial"),
        ),
        SEEDS,
        "code",
    ),
    Claim(
        "X16",
        "Less variability makes networks less like the reference",
        DIRECTION,
        (
            _above("CKA to reference full - one_category", "layer4: full minus one category"),
            _above("CKA to reference full - centred", "layer4: full minus centred"),
        ),
        SEEDS,
        "proposal",
    ),
    Claim(
        "X17",
        "And less aligned",
        "unknown",
        (
            _above("A full - one_category", "A: full minus one category"),
            _above("A full - centred", "A: full minus centred"),
        ),
        SEEDS,
        "proposal",
    ),
    *_alignment("-EVC", "EVC", " with human early visual cortex"),
    *_alignment("-IT", "IT", " with human IT"),
)

PUBLIC_CLAIMS: tuple[Claim, ...] = (
    Claim(
        "X1-public",
        "Spatially trained networks align better than untrained ones with each of V1, V2, V4, IT",
        DIRECTION,
        tuple(
            _above(f"{region} {s} - untrained, public", f"{region}: {s} minus untrained")
            for region in ("V1", "V2", "V4", "IT")
            for s in SPATIAL
        ),
        SEEDS,
        "code",
    ),
    Claim(
        "X14-public",
        "V1 maps no later than V2, and V2 no later than IT",
        "table of layers",
        (_most("share V1 <= V2 <= IT, public", "share of networks in that order"),),
        SEEDS,
        "code",
    ),
    Claim(
        "X15-public",
        "Macaque IT does not map to the last stage; V4 earlier in spatial than category networks",
        "table of layers",
        (
            _most("share IT before layer4, public", "share of networks with IT before layer4"),
            _above("V4 stage category - spatial, public", "stage of V4: category minus spatial"),
        ),
        SEEDS,
        "code",
    ),
)
"""Claims about public assemblies, which the full preset asks for."""

CLAIMS = (*CLAIMS, *PUBLIC_CLAIMS)

EVIDENCE = {
    **dict.fromkeys(
        ("X1", "X2", "X2-full", "X3", "X3-full", "X4", "X13", "X15", "X17"), "alignment"
    ),
    **dict.fromkeys(("X1-EVC", "X1-IT", "X2-EVC", "X2-IT", "X14"), "alignment_human"),
    **dict.fromkeys(("X1-public", "X14-public", "X15-public"), "alignment_public"),
    "X5": "curves",
    **dict.fromkeys(("X6", "X7", "X8", "X16"), "cka"),
    **dict.fromkeys(("X9a", "X9b", "X10", "X11", "X11-direct", "X12"), "decoding"),
}
"""The table that the numbers of a claim are made of."""
