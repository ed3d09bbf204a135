"""Images per second of the ray caster and of pyvista off-screen, on the same meshes, on one core.

Objects turn through 9 views under an orthographic camera on grey. Three pairs do about the same
work: 9 rays a pixel against pyvista's default anti-aliasing (multi-sampling, 8 asked for; Mesa's
software rasteriser grants 4) and against its super-sampling, and 1 ray a pixel against none at all.
pyvista keeps one plotter with every mesh in it; an image is a turn of one actor, a render and a
copy of the pixels. Medians over repetitions in which all take turns, in one process that is tied to
one core; seconds are seconds of this core, whatever else the machine does. `difference` is the mean
absolute difference between the pictures of the first pair. `second process` is what two processes
of ours on two cores take together, in relation to one of them alone, by the clock on the wall.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import torch

from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.render.raycast import Renderer
from isocortex.stimuli.render.views import FILL, Views, light_from

SIZES = (64, 128, 224)
REPETITIONS = 5
YAWS = np.linspace(-90, 90, 9)
CAMERA_DISTANCE = 4.0
STARTING, SLOT = 7.0, 1.2  # seconds
PROCEDURAL = ("head_like", "animal_like", "chair_like", "airplane_like", "car_like")
PEERS = {"msaa": 3, "ssaa": 3, "none": 1}
"""Anti-aliasing of pyvista, and our rays along each side of a pixel beside it."""

Case = tuple[list[Mesh], int]
Rates = dict[str, float]


def main() -> list[dict[str, Any]]:
    shown = objects()
    cases = {(name, size): (meshes, size) for name, meshes in shown.items() for size in SIZES}
    results, missing = race_in_a_process(list(cases.values()))
    gains = second_process(list(cases.values()))
    rows = []
    for (name, size), rates, gain in zip(cases, results, gains, strict=True):
        row: dict[str, Any] = {
            "objects": name,
            "median faces": int(np.median([len(m.faces) for m in shown[name]])),
            "pixels": size,
        }
        for aa, supersample in PEERS.items():
            row[f"ours, {supersample} x {supersample} rays"] = rates[f"ours {supersample}"]
            row[f"pyvista {aa}"] = rates.get(aa, missing)
            row[f"ratio to {aa}"] = (
                rates[f"ours {supersample}"] / rates[aa] if aa in rates else missing
            )
        row["difference"] = rates.get("difference", missing)
        row["second process"] = gain
        rows.append(row)
    return rows


def objects() -> dict[str, list[Mesh]]:
    """Return five procedural objects and, if the data are there, five heads."""
    found = {"procedural": [families.build(name, 0) for name in PROCEDURAL]}
    if data := os.environ.get("ISOCORTEX_DATA"):
        found["heads"] = library.heads(data, 5)
    return found


def race_in_a_process(cases: list[Case]) -> tuple[list[Rates], str]:
    """Let ours and pyvista race; where pyvista cannot run, ours alone, and the reason."""
    reason = "not installed"
    if importlib.util.find_spec("pyvista") is not None:
        try:
            return in_a_process(race, cases, True), ""
        except BrokenProcessPool:
            reason = "crashed (no off-screen OpenGL)"
        except (ImportError, RuntimeError) as error:
            reason = f"cannot run ({error})"
    return in_a_process(race, cases, False), reason


def second_process(cases: list[Case]) -> list[float] | list[str]:
    """Rate of two processes on two cores, added up, in relation to that of one; for each case."""
    if len(cores()) < 2:
        return ["one core only"] * len(cases)
    alone = in_a_process(rates_on_schedule, cases, 0, time.time() + STARTING)
    start = time.time() + STARTING  # both have imported and built by then
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(rates_on_schedule, cases, core, start) for core in (0, 1)]
        both = np.sum([r.result() for r in running], axis=0)
    return list(both / alone)


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a process of its own: pinned, and unable to take this one down."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]


def pin(core: int) -> None:
    """Keep this process, and threads it starts from now on, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cores()[core]})
    torch.set_num_threads(1)


def rates_on_schedule(cases: list[Case], core: int, start: float) -> list[float]:
    """Images per second of each case, in slots of a schedule that begins at a point in time."""
    pin(core)
    takes = [ours(*case, 3)[0] for case in cases]
    takes[0]()
    rates = []
    for k, take in enumerate(takes):
        time.sleep(max(0.0, start + SLOT * k - time.time()))
        begin, images = time.perf_counter(), 0
        while time.perf_counter() - begin < SLOT * 0.7:
            images += len(take())
        rates.append(images / (time.perf_counter() - begin))
    return rates


def race(cases: list[Case], peer: bool) -> list[Rates]:
    """Let all ways take the same pictures in turn; return images per second of each case."""
    pin(0)
    return [race_one(*case, peer) for case in cases]


def race_one(meshes: list[Mesh], size: int, peer: bool) -> Rates:
    ways = {f"ours {s}": ours(meshes, size, s) for s in set(PEERS.values())}
    if peer:
        ways |= {aa: theirs(meshes, size, aa) for aa in PEERS}
    pictures = {name: take() for name, (take, _) in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(REPETITIONS):
        for name, (take, _close) in ways.items():
            start = time.process_time()
            take()
            times[name].append(time.process_time() - start)
    for _take, close in ways.values():
        close()
    rates = {name: len(pictures[name]) / float(np.median(t)) for name, t in times.items()}
    if peer:
        rates["difference"] = float(np.abs(pictures["ours 3"] - pictures["msaa"]).mean())
    return rates


def ours(
    meshes: list[Mesh], size: int, supersample: int
) -> tuple[Callable[[], np.ndarray], Callable[[], None]]:
    """Return functions that take all pictures with the ray caster, (n, h, w, 3), and tidy up."""
    renderer = Renderer(meshes)
    index = np.repeat(np.arange(len(meshes)), len(YAWS))
    views = Views.turntable(index, np.tile(YAWS, len(meshes)))

    def take() -> np.ndarray:
        image = renderer.render(views, size, supersample, channels=3).image
        return image.permute(0, 2, 3, 1).numpy()

    return take, lambda: None


def theirs(
    meshes: list[Mesh], size: int, antialiasing: str
) -> tuple[Callable[[], np.ndarray], Callable[[], None]]:
    """Return functions that take all pictures with pyvista, (n, h, w, 3), and tidy up."""
    if sys.platform == "linux":  # no display is looked for
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = "vtkEGLRenderWindow"
    import pyvista

    plotter = pyvista.Plotter(off_screen=True, window_size=(size, size), lighting="none")
    plotter.set_background((128, 128, 128))
    if antialiasing == "none":
        plotter.disable_anti_aliasing()
    else:
        plotter.enable_anti_aliasing(antialiasing)
    light = CAMERA_DISTANCE * light_from(0.0)
    plotter.add_light(pyvista.Light(position=tuple(light), light_type="scene light"))
    plotter.camera_position = [(0, 0, CAMERA_DISTANCE), (0, 0, 0), (0, 1, 0)]
    plotter.enable_parallel_projection()
    plotter.camera.parallel_scale = 1 / FILL
    actors = []
    for mesh in meshes:
        surface = pyvista.PolyData.from_regular_faces(mesh.vertices, mesh.faces)
        surface.cell_data["color"] = np.round(255 * mesh.colors).astype(np.uint8)
        actor = plotter.add_mesh(surface, scalars="color", rgb=True, ambient=0.35, diffuse=0.65)
        actor.visibility = False
        actors.append(actor)
    plotter.show(auto_close=False)

    def take() -> np.ndarray:
        pictures = []
        for actor in actors:
            actor.visibility = True
            for yaw in YAWS:
                actor.orientation = (0, yaw, 0)
                plotter.render()
                pictures.append(plotter.screenshot(return_img=True))
            actor.visibility = False
        return np.stack(pictures) / np.float32(255)

    return take, plotter.close
