"""The figures of the study: functions of its tables alone."""

from __future__ import annotations

from isocortex.studies.base import Figure
from isocortex.studies.farahat2025.area_figures import complexity, grid, responses, training
from isocortex.studies.farahat2025.network_figures import nonlinearity, selectivity, textures

FIGURES: dict[str, Figure] = {
    "grid": Figure(
        grid,
        "How well random networks predict each area, activation by pooling: r of held-out responses"
        " (V1, V4), Spearman correlation of RDMs (human), explained share of explainable variance"
        " (simulated)."
        " Small marks: seeds; bars: 95 % intervals over seeds (Student's t). Dotted: pixels.",
        ("encoding",),
    ),
    "training": Figure(
        training,
        "What training on objects gives and what shuffling its weights takes, in networks of ReLU"
        " and max pooling with re-estimated batch statistics. Human areas are divided by their"
        " lower noise ceiling. Dots: seeds; bars: mean; whiskers: 95 % intervals over seeds.",
        ("encoding",),
    ),
    "responses": Figure(
        responses,
        "Networks that learn from the recorded responses, with frozen or trained kernels below the"
        " same factorised readout. Open: frozen; filled: trained; lines: seeds; bars: 95 %"
        " intervals over seeds.",
        ("neural",),
    ),
    "complexity": Figure(
        complexity,
        "Prediction against complexity (C_lin) and against its rival, evenness, over random"
        " configurations; means over seeds. R² with 95 % intervals over configurations.",
        ("points", "regressions"),
    ),
    "nonlinearity": Figure(
        nonlinearity,
        "Complexity on natural patches by block, mean and 95 % interval over seeds; and how it"
        " depends on the spread of pre-activations.",
        ("complexity",),
    ),
    "selectivity": Figure(
        selectivity,
        "Cumulative distributions of the circular variance of the central units of block 2 (all"
        " seeds, average pooling), by two response rules, and of recorded V1 cells (Ringach et al."
        " 2002; thick). Dashed: trained on objects. The area between two curves is their"
        " distance W1.",
        ("selectivity",),
    ),
    "textures": Figure(
        textures,
        "Textures and digits read out of frozen random networks, and of one trained on the task"
        " (open). Dotted: chance; grey: readout of means and SDs of regions alone.",
        ("textures",),
    ),
}
