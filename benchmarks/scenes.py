"""Images per second of latent scenes: drawn, filtered, rendered with background and shadow, on CPU.

Every image is made from its index: its latents are drawn and accepted (32 x 32 rays over the
object, up to 15 attempts), then it is rendered with flat shading, hard shadows on object and
ground, and its background: half are environments with sky and textured ground, half 1/f noise (or
photographs, where the data are there). `filter` is the share of the time that drawing and accepting
takes. Processes are tied to a core each and timed by
the seconds of their core, whatever else the machine does; two of them run side by side, and their
rates are added. Beside it stand rates published for ThreeDWorld on machines with a GPU: another
renderer, with textures and other images, on other hardware; for orientation, and no race.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from benchmarks.renderer import cores, in_a_process, pin
from isocortex.stimuli.render import families, library
from isocortex.stimuli.render.mesh import Mesh
from isocortex.stimuli.scenes import LatentScenes, SceneSpec, backgrounds

SIZES = (64, 224)
RAYS = (1, 2)
IMAGES = {64: 256, 224: 48}
REPETITIONS = 3
EXEMPLARS = 3
STARTING = 20.0  # seconds

Case = tuple[str, int, int]


def main() -> list[dict[str, Any]]:
    names = ["procedural", *(["library"] if os.environ.get("ISOCORTEX_DATA") else [])]
    cases = [(name, size, rays) for name in names for size in SIZES for rays in RAYS]
    alone = in_a_process(measure, cases)
    both = side_by_side(cases)
    rows = []
    for k, (name, size, rays) in enumerate(cases):
        rate, share, faces = alone[k]
        rows.append(
            {
                "meshes": name,
                "median faces": faces,
                "pixels": size,
                "rays a pixel": f"{rays} x {rays}",
                "one process, images/s": rate,
                "filter": share,
                "two processes, images/s": both[k],
                "ThreeDWorld on GPU machines, published, images/s": "45; 234-400",
            }
        )
    return rows


def side_by_side(cases: list[Case]) -> list[float] | list[str]:
    """Images per second of two processes together, for each case."""
    if len(cores()) < 2:
        return ["one core only"] * len(cases)
    start = time.time() + STARTING  # both have built their scenes by then
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        running = [pool.submit(measure, cases, core, start) for core in (0, 1)]
        rates = [[rate for rate, _, _ in r.result()] for r in running]
    return list(np.sum(rates, axis=0))


def scenes(name: str) -> LatentScenes:
    """Return scenes of procedural objects, or of the mesh library before photographs."""
    data = os.environ.get("ISOCORTEX_DATA")
    meshes: list[Mesh]
    if name == "library":
        meshes = library.load(data)
        screens = backgrounds.photographs(data, count=64)
    else:
        meshes = [families.build(f, k) for f in families.FAMILIES for k in range(EXEMPLARS)]
        screens = backgrounds.procedural(("noise",), 32)
    world = backgrounds.procedural(("environment",), 32)
    return LatentScenes(SceneSpec(), meshes, backgrounds.concatenate([world, screens]))


def measure(cases: list[Case], core: int = 0, start: float = 0.0) -> list[tuple[float, float, int]]:
    """Images per second of each case, share of the time before rendering, and faces of a mesh."""
    pin(core)
    made = {name: scenes(name) for name in dict.fromkeys(name for name, _, _ in cases)}
    time.sleep(max(0.0, start - time.time()))
    found = []
    for name, size, rays in cases:
        shown = made[name]
        index = np.arange(IMAGES[size])
        shown.render(index[:4], size, rays, maps=False)
        drawing, rendering = [], []
        for k in range(REPETITIONS):
            begin = time.process_time()
            columns = shown.columns(index + k * len(index))
            middle = time.process_time()
            shown.render(columns, size, rays, maps=False)
            drawing.append(middle - begin)
            rendering.append(time.process_time() - middle)
        total = float(np.median(np.add(drawing, rendering)))
        faces = int(np.median([len(mesh.faces) for mesh in shown.meshes]))
        found.append((len(index) / total, float(np.median(drawing)) / total, faces))
    return found
