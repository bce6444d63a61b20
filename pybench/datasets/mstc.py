"""Mini ShanghaiTech Campus (mSTC): every fifth frame of ShanghaiTech Campus, one category per scene.

The authors' layout, in which training clips are videos; their frames have to be extracted once::

    training/frames/<clip>/000.jpg           extracted from training/videos/<clip>.avi
    testing/frames/<clip>/000.jpg
    testing/test_frame_mask/<clip>.npy       [T], not 0 where a frame shows an abnormal event
    testing/test_pixel_mask/<clip>.npy       [T, H, W], not 0 where it does

A clip's name begins with its scene: ``01_0014``. HETMM, Sec. 4.1, takes every fifth frame for training and testing and
counts twelve scenes. It does not say which frame is the first: here frames 0, 5, 10, ... of every clip are taken, in
the order of their names. A thirteenth scene has training clips only.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pybench.datasets._layout import TrainTestDataset, existing_mask, image_files, require_folder, subfolders
from pybench.images.decoding import read_array
from pybench.types import Citation, DatasetInfo, InputError, Sample

STEP = 5


class Mstc(TrainTestDataset):
    """The authors' frames and masks below ``root``."""

    info: ClassVar[DatasetInfo] = DatasetInfo(
        name="mstc",
        title="Mini ShanghaiTech Campus (mSTC)",
        categories=tuple(f"{scene:02}" for scene in range(1, 13)),
        licence="none stated; published by its authors for research",
        url="https://svip-lab.github.io/dataset/campus_dataset.html",
        citation=Citation(
            title="Future Frame Prediction for Anomaly Detection - A New Baseline",
            authors="W. Liu, W. Luo, D. Lian, S. Gao",
            year=2018,
            reference="CVPR 2018, pp. 6536-6545",
        ),
        how_to_get=(
            "Get ShanghaiTech Campus from https://svip-lab.github.io/dataset/campus_dataset.html and unpack it so that"
            " <data root>/mstc/testing/frames is there. Its training clips are videos: for each, make the folder"
            " training/frames/<clip> and extract all frames, for instance with `ffmpeg -i training/videos/<clip>.avi"
            " -vsync 0 -start_number 0 -q:v 1 training/frames/<clip>/%03d.jpg`."
        ),
    )

    def train_part(self, category: str) -> list[Sample]:
        """Every fifth frame of the scene's training clips."""
        clips = self._clips("training", category)
        return [Sample(frame, alpha=self.options.alpha) for clip in clips for frame in _frames(clip)[::STEP]]

    def test_part(self, category: str) -> list[Sample]:
        """Every fifth frame of its test clips, abnormal where the clip's labels say so."""
        return [sample for clip in self._clips("testing", category) for sample in self._tested(clip)]

    def _clips(self, folder: str, category: str) -> list[Path]:
        frames = self.root / folder / "frames"
        require_folder(self.info, frames)
        clips = [clip for clip in subfolders(frames) if clip.name.startswith(f"{category}_")]
        if not clips:
            raise InputError(f"{frames}: no clips of scene {category} here; expected folders named {category}_*")
        return clips

    def _tested(self, clip: Path) -> list[Sample]:
        frames, labels_file = _frames(clip), self.root / "testing" / "test_frame_mask" / f"{clip.name}.npy"
        labels = read_array(labels_file)
        if labels.shape != (len(frames),):
            raise InputError(
                f"{labels_file}: labels of shape {list(labels.shape)}, but {clip} has {len(frames)} frames"
            )
        mask = self.root / "testing" / "test_pixel_mask" / labels_file.name
        return [
            Sample(
                frames[index],
                label=1,
                defect_type="event",
                masks=(existing_mask(frames[index], mask),),
                mask_frame=index,
                alpha=self.options.alpha,
            )
            if labels[index]
            else Sample(frames[index], alpha=self.options.alpha)
            for index in range(0, len(frames), STEP)
        ]


def _frames(clip: Path) -> list[Path]:
    """The frames of a clip in their order; numbers may outgrow their digits."""
    return sorted(image_files(clip), key=lambda frame: (len(frame.stem), frame.stem))
