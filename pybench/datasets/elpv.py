"""ELPV: electroluminescence images of photovoltaic cells, inside the installed package ``elpv-dataset``.

::

    labels.csv               a line per image: path, defect probability (0, 1/3, 2/3 or 1) and type of the cell
    images/cell0001.png      2624 images, grey, 300 x 300 pixels

The package is the authors' own release, so this data set needs no data root. The probability says how sure the experts
were. Here 0 is normal and 1 is anomalous; the 401 images between are left out, unless the option ``uncertain`` has them
tested. There are no masks, so there are image metrics only. Source: the package, and Deitsch et al. 2019.

The categories are the two types, because what is normal differs: the crystals of a polycrystalline (``poly``) cell look
like defects on a monocrystalline (``mono``) one. No split for one-class methods is published. **The split is our own**:
80 % of the normal images train, drawn by the data seed; the others and all defective ones test. Which module a cell
comes from is not published, so cells of one module may be in both parts.
"""

from __future__ import annotations

import sysconfig
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from pydantic import Field

from pybench.datasets._layout import TrainTestDataset, require_folder, split_normal
from pybench.types import Citation, DatasetInfo, DatasetOptions, InputError, Sample

TRAIN_SHARE = 0.8
MODULE = "elpv_dataset"
TYPES = ("mono", "poly")
DEFECT_TYPES = {1.0: "defective", 2 / 3: "probably_defective"}


class ElpvOptions(DatasetOptions):
    """What becomes of the cells that the experts were not sure of."""

    uncertain: Literal["leave_out", "test"] = Field(
        "leave_out", description="leave out cells of probability 1/3 and 2/3, or test on them as normal and anomalous"
    )


class Cell(NamedTuple):
    """A line of ``labels.csv``; ``probability`` is that of a defect."""

    image: Path
    probability: float
    type: str


class Elpv(TrainTestDataset):
    """The images of the installed package; one category per type of cell."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="elpv",
        title="ELPV photovoltaic cells (split of our own, no masks)",
        categories=TYPES,
        licence="CC BY-NC-SA 4.0 (no commercial use)",
        url="https://github.com/zae-bayern/elpv-dataset",
        citation=Citation(
            title="Automatic classification of defective photovoltaic module cells in electroluminescence images",
            authors="S. Deitsch, V. Christlein, S. Berger, C. Buerhop-Lutz, A. Maier, F. Gallwitz, C. Riess",
            year=2019,
            reference=(
                "Solar Energy 185, pp. 455-468; cite also C. Buerhop-Lutz et al.: A Benchmark for Visual Identification"
                " of Defective Solar Cells in Electroluminescence Imagery, EU PVSEC 2018"
            ),
        ),
        how_to_get=(
            "Install the package that brings it, and no data root is needed: pip install elpv-dataset"
            " (91 MB, licence CC BY-NC-SA 4.0)."
        ),
    )
    Options: ClassVar[type[DatasetOptions]] = ElpvOptions
    options: ElpvOptions

    @classmethod
    def locate(cls, data_root: Path | None) -> Path:
        """The package's folder of data, whatever the data root; where it is not installed, the place it would have."""
        spec = find_spec(MODULE)
        places = spec.submodule_search_locations if spec else None
        package = next(iter(places or ()), f"{sysconfig.get_path('purelib')}/{MODULE}")
        return Path(package) / "data"

    def train_part(self, category: str) -> list[Sample]:
        """The normal cells that the data seed drew."""
        return self._normal(category, training=True)

    def test_part(self, category: str) -> list[Sample]:
        """The defective cells and the other normal ones; those between where the option says so."""
        tested = {1.0, 2 / 3, 1 / 3} if self.options.uncertain == "test" else {1.0}
        cells = [cell for cell in self._cells(category) if cell.probability in tested]
        return [self._sample(cell) for cell in cells] + self._normal(category, training=False)

    def _cells(self, category: str) -> list[Cell]:
        require_folder(self.info, self.root)
        return [cell for cell in read_labels(self.root / "labels.csv") if cell.type == category]

    def _normal(self, category: str, training: bool) -> list[Sample]:
        """One side of the split of the cells that are surely normal."""
        normal = [cell.image for cell in self._cells(category) if cell.probability == 0]
        if not normal:
            raise InputError(f"{self.root / 'labels.csv'}: no {category} cell with probability 0, which is normal")
        return split_normal(normal, TRAIN_SHARE, self.data_seed, self.options.alpha, training=training)

    def _sample(self, cell: Cell) -> Sample:
        defect_type = DEFECT_TYPES.get(cell.probability)
        if defect_type is None:
            return Sample(cell.image, alpha=self.options.alpha)
        return Sample(cell.image, 1, defect_type, alpha=self.options.alpha)


def read_labels(file: Path) -> list[Cell]:
    """The lines of ``labels.csv``, whose columns are divided by spaces.

    Raises:
        InputError: the file or an image is not there, or a line is not understood; names file and line.
    """
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: the labels cannot be read: {error}") from error
    return [_cell(line, file, number) for number, line in enumerate(lines, 1) if line.strip()]


def _cell(line: str, file: Path, number: int) -> Cell:
    try:
        name, probability, kind = line.split()
        thirds = round(3 * float(probability))
        if kind not in TYPES or thirds not in range(4) or abs(thirds - 3 * float(probability)) > 0.05:
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(
            f"{file}:{number}: {line.strip()!r}; expected a path, a probability (0, 1/3, 2/3 or 1) and mono or poly"
        ) from None
    image = file.parent / name
    if not image.is_file():
        raise InputError(f"{file}:{number}: no such image: {image}")
    return Cell(image, thirds / 3, kind)
