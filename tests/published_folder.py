"""A small checkpoint folder in the layout of the published MoMask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from server.models.checkpoint import Bundle
from server.models.original_names import length_names, masked_names, residual_names, rvq_names
from server.models.transformer import sinusoidal_positions


def write_published(root: Path, bundle: Bundle, dataset: str = "t2m") -> Path:
    """Write the models of ``bundle`` with older state keys and as a trainer leaves them (optimiser beside weights)."""
    rvq, masked, residual = bundle.config.rvq, bundle.config.masked, bundle.config.residual
    write_options(
        root / "vq" / "opt.txt",
        {
            "dataset_name": dataset,
            "width": rvq.width,
            "code_dim": rvq.code_dim,
            "output_emb_width": rvq.code_dim,
            "nb_code": rvq.codes,
            "num_quantizers": rvq.quantizers,
            "down_t": 2,
            "stride_t": 2,
            "depth": rvq.depth,
            "dilation_growth_rate": 3,
            "vq_act": "relu",
            "vq_norm": "None",
            "mu": 0.99,
            "quantize_dropout_prob": 0.2,
            "shared_codebook": False,
            "vq_name": "vq",
            "lr_scheduler": "[50000]",
        },
    )
    for name, config in (("base", masked), ("rest", residual)):
        write_options(
            root / name / "opt.txt",
            {
                "vq_name": "vq",
                "latent_dim": config.latent,
                "n_heads": config.heads,
                "n_layers": config.layers,
                "ff_size": config.ff,
                "dropout": 0.2,
                "cond_drop_prob": config.cond_drop,
                "max_motion_length": 4 * config.max_tokens,
                "unit_length": 4,
                "share_weight": name == "rest",
            },
        )
    positions = {"position_enc.pe": sinusoidal_positions(5000, masked.latent).unsqueeze(1)}
    files: dict[str, dict[str, Any]] = {
        "vq/model/net_best_fid.tar": {"net": _theirs(bundle.rvq, rvq_names(rvq)), "ep": 3},
        "base/model/latest.tar": {
            "trans": _theirs(bundle.masked, masked_names(masked)) | positions,
            "opt_t2m_transformer": {"state": {}, "param_groups": []},
            "total_it": 5,
        },
        "rest/model/net_best_fid.tar": {
            "res_transformer": _theirs(bundle.residual, residual_names(residual)) | positions
        },
        "length_estimator/model/finest.tar": {"estimator": length_state()},
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
    (root / "vq" / "meta").mkdir()
    np.save(root / "vq" / "meta" / "mean.npy", bundle.mean.numpy())
    np.save(root / "vq" / "meta" / "std.npy", bundle.std.numpy())
    return root


def write_options(path: Path, options: dict[str, object]) -> None:
    """An ``opt.txt`` as the authors' parser writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{key}: {value}" for key, value in sorted(options.items())]
    path.write_text(
        "\n".join(["------------ Options -------------", *lines, "-------------- End ----------------", ""])
    )


def length_state() -> dict[str, Tensor]:
    """A length estimator of the published size, under its published keys."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"output.0": (512, 512), "output.4": (256, 512), "output.8": (128, 256), "output.11": (50, 128)}
    shapes |= {"output.1": (512,), "output.5": (256,), "output.9": (128,)}
    weights = {f"{key}.weight": torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    state = weights | {f"{key}.bias": torch.randn(shape[0], generator=generator) for key, shape in shapes.items()}
    assert state.keys() == length_names().keys()
    return state


def _theirs(model: nn.Module, names: dict[str, str]) -> dict[str, Tensor]:
    state = model.state_dict()
    return {original: state[ours] for original, ours in names.items()}
