"""A morphable head: new identities and expressions from coefficients."""

from __future__ import annotations

import os
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from isocortex import data
from isocortex.errors import UserError, unknown
from isocortex.stimuli.render.mesh import FloatArray, Mesh

_FILE = "meshes/ict_head_model.npz"
_KEYS = (
    "mean",
    "faces",
    "face_color",
    "identity_basis",
    "expression_basis",
    "expression_names",
)


class HeadModel:
    """Heads as a linear model: head = mean + sum_k c_k identity_k + sum_j e_j expression_j.

    Parameters
    ----------
    data_folder : path
        The data folder; it must hold ``meshes/ict_head_model.npz``.

    Attributes
    ----------
    n_identities : int
        Number K of identity components; their coefficients c are N(0, 1) in the population.
    expressions : tuple of str
        Names of the expressions; their weights e lie in [0, 1].

    Raises
    ------
    UserError
        If the file is missing or damaged.
    """

    def __init__(self, data_folder: str | os.PathLike[str] | None) -> None:
        path = data.require(data_folder, _FILE)
        arrays = data.read_npz(path, _KEYS)
        self._mean = arrays["mean"].astype(np.float64)
        self._identity = arrays["identity_basis"].astype(np.float64)
        self._expression = arrays["expression_basis"].astype(np.float64)
        self.expressions = tuple(str(name) for name in arrays["expression_names"])
        self.n_identities = len(self._identity)
        damaged = UserError(f"head model {str(path)!r} is damaged; replace it by an intact copy")
        if (
            self._mean.ndim != 2
            or self._identity.shape[1:] != self._mean.shape
            or self._expression.shape != (len(self.expressions), *self._mean.shape)
        ):
            raise damaged
        try:
            self._template = Mesh(
                self._mean, arrays["faces"], arrays["face_color"] / 255.0, "mean", "head"
            )
        except UserError:
            raise damaged from None

    def coefficients(self, seed: int) -> FloatArray:
        """Draw the coefficients (K,) of a person of the population; they depend on `seed` alone."""
        if seed < 0:
            raise UserError(f"head seed {seed} is negative; give 0 or more")
        return np.random.Generator(np.random.Philox(seed)).normal(size=self.n_identities)

    def identity(
        self,
        person: int | npt.ArrayLike,
        expression: Mapping[str, float] | None = None,
        name: str | None = None,
    ) -> Mesh:
        """Return the head of one person.

        Parameters
        ----------
        person : int or array (k,)
            A seed, or the first k <= K identity coefficients; the others are 0, so ``[]`` is the
            mean head.
        expression : mapping of str to float, optional
            Weights in [0, 1] by name of expression; neutral if left out.
        name : str, optional
            Name of the mesh; ``head_<seed>`` for a seed, else ``head``.

        Returns
        -------
        Mesh
            Normalised, of category ``head``. Its symmetry is left undeclared: people are nearly
            symmetric, not quite.

        Raises
        ------
        UserError
            If there are too many coefficients or one is not finite, an expression is unknown, or
            its weight is outside [0, 1].
        """
        if isinstance(person, (int, np.integer)):
            coefficients = self.coefficients(int(person))
            name = name or f"head_{person:04d}"
        else:
            coefficients = self._checked(person)
        used = self._identity[: len(coefficients)]
        vertices = self._mean + np.tensordot(coefficients, used, axes=1)
        for key, weight in (expression or {}).items():
            if key not in self.expressions:
                raise unknown("expression", key, self.expressions)
            if not 0 <= weight <= 1:
                raise UserError(f"weight {weight!r} of expression {key!r} is outside [0, 1]")
            vertices += weight * self._expression[self.expressions.index(key)]
        template = self._template
        head = Mesh(vertices, template.faces, template.colors, name or "head", "head")
        return head.normalised()

    def _checked(self, coefficients: npt.ArrayLike) -> FloatArray:
        array = np.asarray(coefficients, dtype=np.float64)
        if array.ndim != 1 or len(array) > self.n_identities:
            raise UserError(
                f"identity coefficients have shape {array.shape}; give at most "
                f"{self.n_identities} in a row"
            )
        if not np.isfinite(array).all():
            raise UserError("an identity coefficient is NaN or infinite; give finite numbers")
        return array
