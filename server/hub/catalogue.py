"""The models that have a name: the embedded one and the published MoMask checkpoints.

Archives and their addresses are those of ``prepare/download_models.sh`` of github.com/EricGuo5513/momask-codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from server.cache import CLIP_FILE

_DRIVE_FILE = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
_DRIVE_PAGE = "https://drive.google.com/file/d/{}/view"
_MIB = 1 << 20

_MOMASK_TERMS = """\
MoMask: Generative Masked Modeling of 3D Human Motions (Guo, Mu, Javed, Wang, Cheng; CVPR 2024)
https://github.com/EricGuo5513/momask-codes

The authors' code is MIT. They name no licence of their own for the weights; their README says that the code "uses datasets
which each have their own respective licenses that must also be followed".
{data}
The text encoder is OpenAI's CLIP ViT-B/32 (MIT code); its model card calls any deployed use out of scope.
Treat these weights as for research only, unless you have cleared the terms of the data for your use.
MotionBridge does not pass the weights on: they come from the authors' own storage."""

_HUMANML3D_DATA = """\
They were trained on HumanML3D, which is made of AMASS and HumanAct12. AMASS (amass.is.tue.mpg.de) is licensed for
non-commercial scientific research only."""
_KIT_DATA = """\
They were trained on KIT-ML, the KIT Motion-Language Dataset (motion-annotation.humanoids.kit.edu), which is made of the KIT
Whole-Body Human Motion Database and the CMU motion capture database. Its page asks for a citation and states no licence;
ask its authors (H2T, Karlsruhe Institute of Technology) before any use beyond research."""


@dataclass(frozen=True)
class Download:
    """One file on the authors' storage.

    ``page`` is where a browser gets it; ``sha256`` None: the authors publish none. ``size`` is roughly how many bytes it has, 0 =
    not known; ``limit`` is how many are accepted at most.
    """

    file: str
    url: str
    page: str
    size: int
    limit: int
    sha256: str | None = None


@dataclass(frozen=True)
class Entry:
    """A model by name; without ``archive`` it is part of the package."""

    name: str
    title: str
    joints: str
    frame_rate: str
    licence: str
    terms: str
    text_encoder: Literal["clip", "embedded"]
    archive: Download | None


CLIP = Download(
    file=CLIP_FILE,
    url="https://openaipublic.azureedge.net/clip/models/"
    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af/ViT-B-32.pt",
    page="https://github.com/openai/CLIP",
    size=338 * _MIB,
    limit=1024 * _MIB,
    sha256="40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
)


def _drive(file: str, identity: str, size: int) -> Download:
    return Download(file, _DRIVE_FILE.format(identity), _DRIVE_PAGE.format(identity), size, 2048 * _MIB)


ENTRIES = (
    Entry(
        name="embedded",
        title="small MoMask of this project, part of the package",
        joints="22",
        frame_rate="20",
        licence="CC BY-NC 4.0",
        terms="CC BY-NC 4.0: not for commercial use, as the motion capture that it was trained on demands.",
        text_encoder="embedded",
        archive=None,
    ),
    Entry(
        name="humanml3d",
        title="published MoMask, trained on HumanML3D",
        joints="22",
        frame_rate="20",
        licence="research",
        terms=_MOMASK_TERMS.format(data=_HUMANML3D_DATA),
        text_encoder="clip",
        archive=_drive("humanml3d_models.zip", "1vXS7SHJBgWPt59wupQ5UUzhFObrnGkQ0", 179 * _MIB),
    ),
    Entry(
        name="kit",
        title="published MoMask, trained on KIT-ML",
        joints="21 -> 22",
        frame_rate="12.5",
        licence="research",
        terms=_MOMASK_TERMS.format(data=_KIT_DATA),
        text_encoder="clip",
        archive=_drive("kit_models.zip", "1FapdHNkxPouasVM8MWgg1f6sd_4Lua2q", 0),
    ),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}
