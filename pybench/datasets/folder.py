"""One's own images: any folders of normal and defective images, and of masks where there are some.

``root`` is the data root itself; the options name folders relative to it (or absolute ones), in which ``{category}``
stands for the category's name::

    normal: "{category}/ok"              images directly in it, to fit on
    defective: "{category}/nok"          images directly in it, or in one sub-folder per defect type
    masks: "{category}/nok_masks"        optional: the same sub-folders, <stem>.png or <stem>_mask.png per image
    test_normal: "{category}/ok_test"    optional: else a share of the normal images is held out by the data seed
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from pybench.datasets._layout import TrainTestDataset, draw, find_images, image_files, subfolders
from pybench.types import Citation, DatasetInfo, DatasetOptions, InputError, Sample


class FolderOptions(DatasetOptions):
    """Where the images are; paths are relative to the data root, and ``{category}`` in them is replaced."""

    normal: str = Field(description="folder of normal images to fit on")
    defective: str = Field(description="folder of defective images to test on; its sub-folders are defect types")
    masks: str | None = Field(None, description="folder of masks, laid out as `defective`; none: image metrics only")
    test_normal: str | None = Field(None, description="folder of normal images to test on; none holds out `test_share`")
    test_share: float = Field(0.2, gt=0, lt=1, description="share of the normal images held out to test on")
    mask_threshold: int = Field(128, ge=1, le=255, description="mask pixels are defective from this 8-bit grey on")


class Folder(TrainTestDataset):
    """Images in folders of the user's own; the categories are the user's, too."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="folder",
        title="Own images",
        categories=(),
        licence="the user's own data",
        url="",
        citation=Citation(title="Own images", authors="the user", year=2026),
        how_to_get="Name your folders, relative to the data root, in the options `normal`, `defective` and `masks`.",
    )
    Options: ClassVar[type[DatasetOptions]] = FolderOptions
    options: FolderOptions

    @classmethod
    def locate(cls, data_root: Path | None) -> Path:
        """The data root itself; without one, the working directory, which absolute paths in the options overrule."""
        return data_root or Path()

    def train_part(self, category: str) -> list[Sample]:
        """The normal images that are not held out."""
        return self._normal(self._folders(category), testing=False)

    def test_part(self, category: str) -> list[Sample]:
        """The defective images, and the normal ones to test on."""
        folders = self._folders(category)
        return self._defective(folders) + self._normal(folders, testing=True)

    def _folders(self, category: str) -> dict[str, Path]:
        """The folders that the options name; no two of them may be one, or images would be used in two roles."""
        folders: dict[str, Path] = {}
        for role in ("normal", "defective", "masks", "test_normal"):
            name = getattr(self.options, role)
            if name is None:
                continue
            folder = self.root / name.replace("{category}", category)
            if not folder.is_dir():
                raise InputError(f"folder: option `{role}` names {folder}, which is no folder")
            same = [other for other in folders if folders[other].resolve() == folder.resolve()]
            if same:
                raise InputError(f"folder: options `{same[0]}` and `{role}` both name {folder}; they must differ")
            folders[role] = folder
        return folders

    def _normal(self, folders: dict[str, Path], testing: bool) -> list[Sample]:
        if "test_normal" in folders:
            images = image_files(folders["test_normal" if testing else "normal"])
        else:
            everything = image_files(folders["normal"])
            held_out = self._held_out(everything, folders["normal"])
            images = [image for image in everything if (image in held_out) == testing]
        return [Sample(image, alpha=self.options.alpha) for image in images]

    def _held_out(self, images: list[Path], folder: Path) -> set[Path]:
        """At least one image, and at least one is left to fit on."""
        if len(images) < 2:
            raise InputError(f"{folder}: one image only; add more, or name normal test images in `test_normal`")
        count = min(max(round(self.options.test_share * len(images)), 1), len(images) - 1)
        return draw(images, count, self.data_seed)

    def _defective(self, folders: dict[str, Path]) -> list[Sample]:
        """Sub-folders are defect types, unless they have another role (masks kept inside, say)."""
        root, masks = folders["defective"], folders.get("masks")
        roles = {folder.resolve() for folder in folders.values()}
        types = [folder for folder in subfolders(root) if folder.resolve() not in roles]
        samples = []
        if find_images(root) or not types:
            samples += self._of_type("defective", root, masks)
        for folder in types:
            samples += self._of_type(folder.name, folder, masks / folder.name if masks else None)
        return samples

    def _of_type(self, defect_type: str, folder: Path, mask_folder: Path | None) -> list[Sample]:
        images = image_files(folder)
        masks = _match(images, mask_folder) if mask_folder else {}
        return [
            Sample(
                image,
                label=1,
                defect_type=defect_type,
                masks=(masks[image],) if masks else (),
                mask_threshold=self.options.mask_threshold,
                alpha=self.options.alpha,
            )
            for image in images
        ]


def _match(images: list[Path], mask_folder: Path) -> dict[Path, Path]:
    """The mask of each image of a folder, by its stem.

    Raises:
        InputError: an image has no mask, or more than one.
    """
    by_stem: dict[str, list[Path]] = {}
    for mask in image_files(mask_folder):
        by_stem.setdefault(mask.stem.removesuffix("_mask"), []).append(mask)
    missing = [image.name for image in images if image.stem not in by_stem]
    if missing:
        raise InputError(
            f"{mask_folder}: {len(missing)} of {len(images)} images of {images[0].parent} have no mask <stem>.png or"
            f" <stem>_mask.png here: {', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}."
            " Add them, or leave out the option `masks` for image metrics only."
        )
    for image in images:
        if len(by_stem[image.stem]) > 1:
            raise InputError(f"{image}: has more than one mask: {', '.join(str(mask) for mask in by_stem[image.stem])}")
    return {image: by_stem[image.stem][0] for image in images}
