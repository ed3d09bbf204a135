"""Networks that the authors trained, from files of their weights, beside those of a run."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import pydantic

from isocortex.data import checksum
from isocortex.errors import UserError
from isocortex.models.latents import SIZE
from isocortex.models.zoo import Model, load_model

GIVEN = "given"
"""The variant of these networks in tables; no claim is about them."""

SETS = {
    "distance_reg": "distance",
    "translation_reg": "translation",
    "rotation_reg": "rotation",
    "distance_translation": "distance+translation",
    "distance_rotation": "distance+rotation",
    "translation_rotation": "translation+rotation",
    "distance_translation_rotation": "spatial",
    "category_class": "category",
    "object_class": "identity",
    "cat_obj_class_all_latents": "everything",
    "imagenet1kpret": "imagenet",
    "random": "untrained",
}
"""Name of a task set in a file's name -> ours."""

_NAME = re.compile(
    rf"yudixie_(?P<body>resnet18|resnet50)_(?P<set>{'|'.join(SETS)})_(?P<seed>\d+)_\d{{6}}"
)


class Given(pydantic.BaseModel):
    """A file of released weights."""

    model_config = pydantic.ConfigDict(extra="forbid")
    _exclude_from_cls_uid: ClassVar[tuple[str, ...]] = ("path", "device")
    body: str
    task_set: str
    seed: int
    checksum: str
    path: Path
    device: str = "cpu"
    """Where it looks at images."""

    @classmethod
    def of(cls, path: str | Path, device: str = "cpu") -> Given:
        """Say what a file holds, by its name as it was released.

        Raises
        ------
        UserError
            If the file is not there, has another name, or holds the weights of other networks.
        """
        path = Path(path)
        found = _NAME.fullmatch(path.stem)
        if found is None:
            raise UserError(
                f"networks.given: {path} does not say which network it is; keep the name that it "
                "was released under, yudixie_resnet18_SET_0_240719.pth or "
                f"yudixie_resnet50_SET_0_240908.pth, SET one of {', '.join(SETS)}"
            )
        if not path.is_file():
            raise UserError(f"networks.given: there is no file {path}")
        given = cls(
            body=found["body"],
            task_set=SETS[found["set"]],
            seed=int(found["seed"]),
            checksum=checksum(path),
            path=path,
            device=device,
        )
        given.model()
        return given

    @property
    def title(self) -> str:
        """Name in tables and in the terminal."""
        return f"{self.body} {self.task_set} {GIVEN}"

    @property
    def identity(self) -> dict[str, Any]:
        """Columns that say which network a row is about."""
        return {"task_set": self.task_set, "variant": GIVEN, "seed": self.seed}

    @property
    def size(self) -> int:
        """Height and width of its images in pixels."""
        return SIZE

    def model(self, step: int | None = None) -> Model:
        """Return the network ready for recording; there is no other step than the last."""
        assert step is None
        return _loaded(self.body, self.path, self.checksum)


@lru_cache(maxsize=4)
def _loaded(name: str, path: Path, checksum: str) -> Model:
    return load_model(f"isocortex:latents-{name}", path)
