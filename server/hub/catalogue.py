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


def _momask(name: str, data: str, terms: str, joints: str, frame_rate: str, identity: str, size: int) -> Entry:
    """The authors' model for the dataset ``data``, whose archive is the file ``identity`` on Google Drive."""
    page, url = _DRIVE_PAGE.format(identity), _DRIVE_FILE.format(identity)
    return Entry(
        name=name,
        title=f"published MoMask, trained on {data}",
        joints=joints,
        frame_rate=frame_rate,
        licence="research",
        terms=_MOMASK_TERMS.format(data=terms),
        text_encoder="clip",
        archive=Download(f"{name}_models.zip", url, page, size, 2048 * _MIB),
    )


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
    _momask("humanml3d", "HumanML3D", _HUMANML3D_DATA, "22", "20", "1vXS7SHJBgWPt59wupQ5UUzhFObrnGkQ0", 179 * _MIB),
    _momask("kit", "KIT-ML", _KIT_DATA, "21 -> 22", "12.5", "1FapdHNkxPouasVM8MWgg1f6sd_4Lua2q", 0),
)
BY_NAME = {entry.name: entry for entry in ENTRIES}
