"""Where the voxels of an image lie, in the patient or under the microscope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_guideme.errors import InputError

#: Sides of the patient to which the axes of the world lead, and away from which.
_TOWARDS, _AWAY = ("R", "A", "S"), ("L", "P", "I")

#: How oblique an axis may be before no side is named.
_CLEARLY = math.cos(math.pi / 4)

#: How far, in voxels, what lies at one place may be apart.
_NEARLY = 0.1

#: Turns the world of DICOM and ITK, left-posterior-superior, into ours and back.
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: From the order of a file of medicine, (x, y, z), to ours, and back.
REVERSED = np.eye(4)[[2, 1, 0, 3]]


@dataclass(frozen=True, eq=False)
class Geometry:
    """Where the voxels of an image lie.

    Parameters
    ----------
    affine
        Shape (4, 4), from indices (plane, row, column, 1) to the world (x, y, z, 1).
        An image of two axes is plane 0. The one convention inside the package: in
        patients x leads to the right, y to anterior and z to superior (RAS+, as in NIfTI).
    unit
        UDUNITS name of the world's unit, such as ``"millimeter"``; ``""`` if unknown.
    patient
        Whether the world is that of a patient.

    Raises
    ------
    InputError
        If the affine is not finite or some axis has no length or lies in the plane
        of the others.
    """

    affine: NDArray[np.float64]
    unit: str = ""
    patient: bool = False

    def __post_init__(self) -> None:
        if not np.isfinite(self.affine).all():
            raise InputError("the affine is not finite; the file does not tell where voxels lie")
        if not all(self.spacing):
            raise InputError("the spacing is zero along an axis; voxels need a size")
        if abs(np.linalg.det(self.affine[:3, :3] / self.spacing)) < 1e-6:
            raise InputError("the axes of the affine lie in one plane; the file is not a volume")

    @classmethod
    def scaled(
        cls, spacing: Sequence[float], origin: Sequence[float] = (0.0, 0.0, 0.0), unit: str = ""
    ) -> Geometry:
        """Axes along those of the world; `spacing` and `origin` as (plane, row, column)."""
        affine = np.eye(4)
        affine[:3, :3] = np.diag(np.asarray(spacing, float))[::-1]
        affine[:3, 3] = np.asarray(origin, float)[::-1]
        return cls(affine, unit)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbours along plane, row and column, in `unit`."""
        plane, row, column = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(plane), float(row), float(column)

    def laid_on(self, voxels: NDArray[Any], grid: Geometry) -> NDArray[Any] | None:
        """Turn and mirror voxels that lie as this says so that they are stored as in a grid.

        Parameters
        ----------
        voxels
            (planes, rows, columns).
        grid
            Of the same places, perhaps in another order.

        Returns
        -------
        The same voxels; ``None`` if they lie at other places.
        """
        steps = np.linalg.inv(grid.affine) @ self.affine
        turned = np.abs(steps[:3, :3]).argmax(1)
        forwards = steps[range(3), turned] > 0
        expected = np.eye(4)
        expected[:3, :3] = np.eye(3)[turned] * np.where(forwards, 1, -1)[:, None]
        expected[:3, 3] = np.where(forwards, 0, np.array(voxels.shape)[turned] - 1)
        corners = np.array([*product(*((0, side - 1) for side in voxels.shape), [1])])
        apart = np.abs(corners @ (steps - expected).T).max()
        if len({*turned.tolist()}) < 3 or apart > _NEARLY:
            return None
        mirror = tuple(slice(None, None, None if forward else -1) for forward in forwards)
        return voxels.transpose(turned)[mirror]

    @property
    def letters(self) -> tuple[str, ...]:
        """To which side of the patient plane, row and column lead, ``""`` where nothing tells."""
        return letters_of(self.affine[:3, :3]) if self.patient else ("",) * 3


def letters_of(directions: NDArray[Any]) -> tuple[str, ...]:
    """Letters of the columns of a matrix that leads to right, anterior, superior."""
    lengths = np.linalg.norm(directions, axis=0)
    if not np.isfinite(directions).all() or not lengths.all():
        return ("",) * 3
    cosines = directions / lengths
    main = np.abs(cosines).argmax(0)
    return tuple(
        (_TOWARDS if cosines[row, axis] > 0 else _AWAY)[row]
        if abs(cosines[row, axis]) > _CLEARLY
        else ""
        for axis, row in enumerate(main)
    )
