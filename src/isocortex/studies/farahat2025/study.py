"""The study as one line: networks, areas, complexity, selectivity, textures, verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from isocortex.brains import OWN_COPIES, load
from isocortex.errors import UserError
from isocortex.execution import Execution
from isocortex.studies.base import Findings, Study, Tables
from isocortex.studies.data_files import DataFiles
from isocortex.studies.farahat2025.areas import MOST_PYRAMID, TANG, describe
from isocortex.studies.farahat2025.claims import CLAIMS, EVIDENCE, SESSIONS
from isocortex.studies.farahat2025.config import CONFIGURATIONS, Configuration
from isocortex.studies.farahat2025.distances import distances, draws, reference_table
from isocortex.studies.farahat2025.encoding import Encode
from isocortex.studies.farahat2025.evidence import DEPTH
from isocortex.studies.farahat2025.figures import FIGURES
from isocortex.studies.farahat2025.judging import judge_all
from isocortex.studies.farahat2025.networks import Network
from isocortex.studies.farahat2025.own_areas import missing_files
from isocortex.studies.farahat2025.plan import Plan
from isocortex.studies.farahat2025.regressions import contrasts, points, regressions

OPTIONAL = ("objects92", "ringach2002", "bsds500", "cifar10", "mnist", "real-brodatz")


def steps(configuration: Configuration, data: Path | None, execution: Execution) -> Findings:
    """Run the study and judge its claims.

    Parameters
    ----------
    configuration : Configuration
        The preset, with overrides.
    data : Path or None
        Folder of real data; without it networks meet procedural images, textures and simulated
        areas, and claims about recordings are not tested.
    execution : Execution
        Where results are kept, where sweeps run, who is told.
    """
    chosen = configuration
    files = DataFiles(data)
    plan = Plan(chosen, files, execution)
    notes = _missing(plan, chosen, data)
    tables: Tables = {}

    tables["complexity"] = _complexity(plan, chosen, execution)
    trained = _trained(plan, chosen)
    tables["networks"] = _networks(trained, execution)
    if chosen.areas.human and plan.has("objects92"):
        tables["rsa"] = _similarity(plan, execution)
    rejected = _encoding(plan, chosen, execution, tables, notes)
    _selectivity(plan, execution, tables, data)
    _neural(plan, execution, tables)
    found = execution.sweep(("textures",), plan.textures(), lambda step: step.title)
    tables["textures"] = pd.concat(found, ignore_index=True)
    tables["points"] = points(tables).reset_index()
    tables["regressions"] = regressions(tables, chosen.resamples)

    judged = dict(tables)
    if "selectivity_distances" in tables and data is not None:
        judged["selectivity_draws"] = draws(
            tables["selectivity"], load("ringach2002", data).cells(), DEPTH, chosen.resamples
        )
    tables["regression_contrasts"] = contrasts(tables, chosen.resamples)
    found_data = [name for name in (*OPTIONAL, TANG, *SESSIONS) if plan.has(name)]
    if data is not None:
        found_data.append("recordings")
    found_data += [name for name in chosen.areas.own if plan.has(name)]
    if plan.source == "folder":
        notes.append(f"objects are those of {chosen.objects.folder}, in place of CIFAR-10")
        found_data.append("cifar10")
    elif plan.source != "cifar10" and "cifar10" in found_data:
        found_data.remove("cifar10")
    judgements = judge_all(judged, chosen.resamples, found_data, rejected)
    return Findings(tables, judgements, files.checksums, tuple(notes))


def _missing(plan: Plan, chosen: Configuration, data: Path | None) -> list[str]:
    lacking = [name for name in OPTIONAL if not plan.has(name)]
    notes = []
    if lacking:
        notes.append(f"not found in the data folder: {', '.join(lacking)}")
    wanted = [TANG] * chosen.areas.v1 + [f"v4-{s}" for s in chosen.areas.v4_sessions]
    for recording in chosen.areas.own:
        files = missing_files(recording, data)
        if files:
            source = OWN_COPIES[recording].source
            notes.append(f"{recording} is left out: {files[0]} is missing; get it from {source}")
    absent = [name for name in wanted if not plan.has(name)]
    if absent:
        notes.append(f"no recordings {', '.join(absent)}: their claims are not tested")
    return notes


def _complexity(plan: Plan, chosen: Configuration, execution: Execution) -> pd.DataFrame:
    sweep = execution.sweep(("complexity",), plan.nonlinearity(), lambda step: step.title)
    table = pd.concat(sweep, ignore_index=True)
    return table.assign(in_grid=table["gain"] == chosen.grid.gain)


def _trained(plan: Plan, chosen: Configuration) -> list[Network]:
    """Return all networks that are trained on objects, each once."""
    objects = chosen.objects
    pairs = list(objects.networks)
    found = [plan.trained(pair, seed) for pair in pairs for seed in range(objects.seeds)]
    found += [step for step in plan.judged_objects() if step.trained and not step.control]
    if chosen.simulated.it:
        found.append(plan.teacher())
    return list({step.title: step for step in found}.values())


def _networks(trained: list[Network], execution: Execution) -> pd.DataFrame:
    """Train the networks and return their accuracy on unseen objects."""
    found = execution.sweep(("train on objects",), trained, lambda step: step.title)
    rows = [
        {
            **step.labels(),
            "source": step.source,
            "images": step.images,
            "test_images": step.test_images,
            "classes": step.classes,
            "epochs": step.epochs,
            "accuracy": result["accuracy"],
            "last_loss": result["last_loss"],
        }
        for step, result in zip(trained, found, strict=True)
    ]
    for step in trained:
        step.clear_workspace()
    return pd.DataFrame(rows)


def _similarity(plan: Plan, execution: Execution) -> pd.DataFrame:
    networks: list[Network | None] = [
        None,
        *plan.grid(),
        *plan.small_kernels(),
        *plan.large(),
        *plan.judged_objects(),
    ]
    steps = [plan.similarity(network) for network in networks]
    found = execution.sweep(("human cortex",), steps, lambda step: step.title)
    return pd.concat(found, ignore_index=True)


def _encoding(
    plan: Plan, chosen: Configuration, execution: Execution, tables: Tables, notes: list[str]
) -> bool:
    """Fit networks to areas; return whether the simulated IT is rejected."""
    steps: list[Encode] = []
    areas = []
    rejected = False
    few = [step for step in plan.judged_objects() if _once(step)]
    for name in plan.recorded_names():
        area = plan.area(name)
        networks = [*plan.fitted(), *(few if chosen.areas.trained else [])]
        steps += [plan.encode(network, area) for network in (None, *networks)]
        areas.append(describe(name, area.shown()))
    for name in ("v1-sim", "fmri-sim", *(["it-sim"] if chosen.simulated.it else [])):
        area = plan.area(name)
        made = execution.run(("simulated areas", name), area)
        networks = few if name == "it-sim" else plan.fitted()
        if name == "v1-sim" and chosen.simulated.it:
            networks = [*networks, *few]
        if name == "fmri-sim":
            networks = [step for step in networks if step.seed == 0]
        steps += [plan.encode(network, area) for network in (None, *networks)]
        areas.append(describe(name, area.shown()) | {"pyramid_fev": made["pyramid_fev"]})
        if name == "it-sim" and made["pyramid_fev"] >= MOST_PYRAMID:
            rejected = True
            notes.append(
                f"a Gabor pyramid explains {made['pyramid_fev']:.2f} of the simulated IT: rejected"
            )
    found = execution.sweep(("encoding",), steps, lambda step: step.title)
    _joined(tables, found)
    _check_equal_predictors(tables["encoding_blocks"])
    tables["areas"] = pd.DataFrame(areas)
    dropped = tables["encoding_blocks"]["n_constant"] / tables["encoding_blocks"]["n_pred"]
    if (dropped > 0.1).any():
        notes.append(
            f"{int((dropped > 0.1).sum())} blocks lost more than a tenth of their predictors,"
            " which were constant (table encoding_blocks)"
        )
    return rejected


def _check_equal_predictors(blocks: pd.DataFrame) -> None:
    """Refuse to compare networks that predict from unlike numbers of units."""
    networks = blocks[blocks["configuration"] != "pixels"]
    counts = networks.groupby(["area", "block"])["n_pred"].nunique()
    if (counts > 1).any():
        area, block = counts[counts > 1].index[0]
        raise UserError(
            f"networks predict {area} from unlike numbers of units of block {block}; give all the"
            " same channels, or a smaller areas.n_pred"
        )


def _once(step: Network) -> bool:
    """Whether a network stands for its arm: one permutation of the shuffles that decide."""
    return step.control in ("", "S2", "S3") and step.control_seed == 0


def _joined(tables: Tables, found: Iterable[Tables]) -> None:
    """Put the tables of all steps together by name."""
    parts: dict[str, list[pd.DataFrame]] = {}
    for each in found:
        for name, table in each.items():
            parts.setdefault(name, []).append(table)
    for name, those in parts.items():
        tables[name] = pd.concat(those, ignore_index=True)


def _selectivity(plan: Plan, execution: Execution, tables: Tables, data: Path | None) -> None:
    found = execution.sweep(("orientation",), plan.selectivity(), lambda step: step.title)
    tables["selectivity"] = pd.concat(found, ignore_index=True)
    if plan.has("ringach2002"):
        cells = load("ringach2002", data).cells()
        plan.checksum("ringach2002")
        tables["selectivity_distances"] = distances(tables["selectivity"], cells)
        tables["recorded_cells"] = reference_table(cells)


def _neural(plan: Plan, execution: Execution, tables: Tables) -> None:
    steps = plan.neural()
    if steps:
        found = execution.sweep(("train on responses",), steps, lambda step: step.title)
        _joined(tables, found)


STUDY = Study(
    name="farahat2025",
    title="Random networks and early visual cortex",
    citation=(
        "Farahat, Vinck. Neural responses in early, but not late, visual cortex are well predicted"
        " by random-weight CNNs with sufficient model complexity. bioRxiv (2025)."
    ),
    question=(
        "Random filters may predict early visual cortex as well as trained ones, if activation and"
        " pooling make the network complex enough. Is V1 a matter of architecture, and IT one of"
        " training?"
    ),
    configurations=CONFIGURATIONS,
    claims=CLAIMS,
    steps=steps,
    evidence=EVIDENCE,
    figures=FIGURES,
    notes=(
        "The study is rebuilt from a public summary: measures, networks and thresholds are ours,"
        " not the paper's. Random networks of the grid have pre-activations of SD 1 on natural"
        " images (norm gain); those that are compared with trained or shuffled twins have batch"
        " normalisation, re-estimated in every arm (norm bn). Images are standardised, and batch"
        " statistics estimated, on the training rows of the first fold. Each area is predicted by"
        " ridge regression from equally many units of a block; penalty and block are chosen on"
        " validation rows. RDMs are those of the last block. The set of V1 patterns is not"
        " symmetric under reversal of contrast and comes from three cells: it says something about"
        " these cells."
        "\n\n"
        "C_lin is the share of the variance of units that ridge regression on pixels does not"
        " predict, on natural patches; regressions have one point a configuration and are"
        " resampled over configurations, so the list of networks is part of the claim. Intervals"
        " are percentiles over drawn seeds, crossed with runs of patterns, neurons, subjects,"
        " animals or, for textures, sets of classes. Areas that differ in images and repetitions"
        " are confounded and cannot show a difference between areas. The smallest of several"
        " contrasts (R3, R4, R5, R9a, R9b, R10a) is biased downwards: shown is strict, and"
        " contradicted comes about in a fifth to a third of cases if all contrasts are 0 (R3, R4)."
        " Shuffles have all permutations in human areas, one in the others. Random networks with"
        " kernels of 3 pixels (arm small"
        " kernels) control the size of receptive fields. Simulated areas (T) test the tool and are"
        " no evidence. Texture is read out with a background of full contrast, digits with one of"
        " a third, where a good part of them can be told by their area alone: rows 'leak' of the"
        " table textures say how many, and should be at chance for textures only."
        "\n\n"
        "Evidence against the paper's thesis: untrained AlexNet was above trained in human IT"
        " (Truzzi & Cusack 2020), and training raised the fit to human IT by 57 % elsewhere (Storrs"
        " et al. 2021)."
    ),
)
