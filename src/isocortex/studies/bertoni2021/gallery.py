"""The figures of the study, with their captions and the tables that they need."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure as Drawing

from isocortex.studies.base import Figure, Tables
from isocortex.studies.bertoni2021 import extra_figures as extra
from isocortex.studies.bertoni2021 import figures as networks
from isocortex.studies.bertoni2021 import reference_figures as reference


def _figure(function: Callable[[Tables], Drawing], caption: str, *needs: str) -> Figure:
    return Figure(function, caption, needs)


FIGURES = {
    "lgn": _figure(
        networks.lgn,
        "The filter in front of each network (above) and its best Laplacian of Gaussian (below);"
        " radial profile: mean weight of the pixels of equal distance over that of the centre."
        " Q is the share of the variance that is radial; noise levels are those of blurred noise of"
        " the same size.",
        "pixels", "emergence",
    ),
    "bank": _figure(
        networks.bank,
        "Filters of the first layer in the order of their contour orientation, each above its"
        " fitted Gabor; * are not retained (r < .8). Each in its own scale of colours.",
        "pixels", "filters",
    ),
    "emergence": _figure(
        networks.emergence,
        "Filters over training: the steps are on a logarithmic scale that is linear up to the first"
        " milestone. Mean and 95 % interval (Student's t) over seeds from three seeds on. Dotted:"
        " 95 % of blurred noise.",
        "emergence",
    ),
    "arms": _figure(
        networks.arms,
        "Networks with and without the filter in front and lateral connections: each seed, and the"
        " mean with its 95 % interval from three seeds on. The accuracy of digits, another task,"
        " stands in the tables.",
        "networks",
    ),
    "tuning": _figure(
        extra.tuning,
        "Retained filters of all seeds. Left: cycles within one standard deviation of the envelope,"
        " across and along the contour; the line is the family n_y = a n_x^b. Right: circular"
        " variance and half-width of the filter's linear answer to gratings; the dashed line is the"
        " median of Ringach's cells in macaque V1, the bars are the quartiles of the filters.",
        "filters",
    ),
    "corruption": _figure(
        extra.corruption,
        "Share of held-out images that are named rightly, by the level of noise, blur, contrast and"
        " occlusion, with the connections of the training, with those that the filters induce in"
        " their place (added where there were none), and without. Nothing was trained again. Mean"
        " and 95 % interval (Student's t) over seeds from three seeds on.",
        "corruption",
    ),
    "strength": _figure(
        networks.strength,
        "Strength of the positive part of the kernel between units of different relative"
        " orientation, over its mean, beside the overlap of the filters, the kernel after the"
        " overlap was taken out by one slope, the untrained kernel and the correlation of responses"
        " to white noise; grey: orientations permuted among units (first seed's mean over seeds)."
        " Right: connections between like-oriented units by direction, the contour of the target"
        " along 0°.",
        "strength", "polar", "lateral",
    ),
    "polarity": _figure(
        extra.polarity,
        "Strength of the positive part of the kernel among odd filters by relative direction, over"
        " its mean; directions have the bright side on the right, so that 180° is the same"
        " orientation with the other polarity. Smoothed over direction; mean and 95 % interval over"
        " seeds from three seeds on.",
        "polarity",
    ),
    "field": _figure(
        networks.field,
        "Preferred orientation of the connections around a contour at the origin: length is the"
        " square root of coherence, colour the strength. Grey: circles tangent to the contour,"
        " which a co-circular field follows. Mean over seeds.",
        "field", "lateral",
    ),
    "association": _figure(
        networks.association,
        "Activity after three steps of propagation from units of the first seed, in the frame of"
        " the start (grey, logarithmic), streamlines of the preferred orientation of one start"
        " (blue) and the arcs of Field, Hayes and Hess (dashed). Right: strength between two"
        " elements of a path by the turn between them, with the second element along or across it;"
        " mean and 95 % interval over seeds.",
        "spread", "streamlines", "paths", "association",
    ),
    "comparison": _figure(
        networks.comparison,
        "Kernels on positions and orientations as models of the learned kernel, after the mean over"
        " directions was removed from each ring: fitted to one half of the units, tested on the"
        " other, 20 splits. 0 is no model at all.",
        "comparison",
    ),
    "codecs": _figure(
        reference.codecs,
        "Filters of the codecs, first seed, and radial share and gate of every seed. The gate is"
        " passed above 0. Deterministic codecs: the price of distance mu makes the filter radial.",
        "codecs", "codec_pixels", "spectral",
    ),
    "amplitude": _figure(
        reference.amplitude_law,
        "Amplitude spectrum of the filters of the codecs, mean over directions and seeds, beside"
        " the amplitude law of the photographs' spectrum.",
        "amplitude_profile", "amplitudes",
    ),
    "contours": _figure(
        reference.contours,
        "Edges of photographs around an edge at the origin whose contour lies along x: density of"
        " like-oriented edges over the mean of all, and the agreement of the held-out photographs"
        " with contour processes chosen on others, after the mean over directions was removed."
        " Intervals: bootstrap over photographs. One flank: of each line the stronger edge alone.",
        "contour_map", "contour_fits", "contour_statistics",
    ),
    "calibration": _figure(
        reference.calibration,
        "Turning sigma of the direction process that fits edges best, against the known one of the"
        " contours that they lie on: lists of edges, and rendered contours whose edges were"
        " detected (mean, least and largest repeat). Dotted: what fits the photographs best, read"
        " with the curve of the rendered contours.",
        "calibration", "contour_sigma",
    ),
    "light": _figure(
        reference.light,
        "A photograph (its logarithm) with a ramp of light added; the responses of a filter to it"
        " without the small ones, and the image whose filtered version is nearest to them. r:"
        " correlation with the photograph before the light was added. A demonstration, not judged.",
        "light",
    ),
    "induced": _figure(
        networks.induced,
        "Connections that the filters of networks without a filter in front induce by their"
        " overlap; grey points: banks of blurred random filters that pass the same selection.",
        "induced_strength", "induced_contrast", "induced_control",
    ),
}  # fmt: skip
