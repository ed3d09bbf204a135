from __future__ import annotations

import pydantic
import pytest

from isocortex.errors import UserError
from isocortex.studies.overrides import apply_overrides, field_names


class Inner(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    seeds: int = pydantic.Field(5, ge=1)
    names: list[str] = ["a"]


class Outer(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")
    training: Inner = Inner()
    size: int = 32


def test_fields_are_named_by_dots() -> None:
    assert field_names(Outer) == ["training.seeds", "training.names", "size"]


def test_values_are_yaml_and_the_original_stays() -> None:
    original = Outer()
    changed = apply_overrides(original, ["training.seeds=3", "training.names=[x, y]", "size=64"])
    assert changed == Outer(training=Inner(seeds=3, names=["x", "y"]), size=64)
    assert original == Outer()


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("training.seed=3", "training.seeds"),
        ("seeds=3", "did you mean training.seeds"),
        ("training=3", "unknown field"),
        ("training.seeds", "field=value"),
        ("training.seeds=[", "not valid YAML"),
        ("training.seeds=many", "training.seeds: .* got 'many'"),
        ("training.seeds=0", "greater than or equal to 1"),
    ],
)
def test_mistakes_get_one_line(assignment: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        apply_overrides(Outer(), [assignment])
    assert "\n" not in str(caught.value)
