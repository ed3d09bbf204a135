"""`--set training.seeds=3`: one field of a nested configuration, given on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import pydantic
import yaml

from isocortex.errors import UserError, unknown

M = TypeVar("M", bound=pydantic.BaseModel)


def apply_overrides(configuration: M, assignments: Sequence[str]) -> M:
    """Return a copy of `configuration` with the assigned fields changed, and validated again.

    Parameters
    ----------
    configuration : pydantic.BaseModel
        A configuration; nested models are reached by dots.
    assignments : sequence of str
        ``"field.subfield=value"``, the value written as YAML (``3``, ``[a, b]``, ``null``).

    Raises
    ------
    UserError
        For an assignment without ``=``, a field that does not exist (with the nearest names), a
        value that is not YAML, or one that the field refuses.
    """
    content = configuration.model_dump()
    for assignment in assignments:
        dotted, equals, text = assignment.partition("=")
        if not equals:
            raise UserError(f"--set {assignment}: write it as field=value, e.g. training.seeds=3")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment}: the value is not valid YAML") from error
        _assign(content, type(configuration), dotted, value)
    try:
        return type(configuration).model_validate(content)
    except pydantic.ValidationError as error:
        raise UserError(_one_line(error)) from error


def field_names(model: type[pydantic.BaseModel], prefix: str = "") -> list[str]:
    """Return the dotted names of all fields of a configuration class, nested ones included."""
    names = []
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, pydantic.BaseModel):
            names += field_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names


def _assign(
    content: dict[str, Any], model: type[pydantic.BaseModel], dotted: str, value: Any
) -> None:
    known = field_names(model)
    if dotted not in known:
        same_leaf = [k for k in known if k.rsplit(".", 1)[-1] == dotted]
        if same_leaf:
            raise UserError(f"unknown field {dotted!r}; did you mean {' or '.join(same_leaf)}?")
        raise unknown("field", dotted, known)
    *parents, leaf = dotted.split(".")
    for parent in parents:
        content = content[parent]
    content[leaf] = value


def _one_line(error: pydantic.ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where or 'configuration'}: {first['msg']}, got {first['input']!r}{more}"
