"""Linear layers whose weights lie as the CPU's matrix kernels read them.

For the few dozen rows of a sentence, a matrix product spends part of its time bringing the weights into that order, and does it anew
in every call. oneDNN can do it once, and takes the GELU along: a sentence of the published model takes a sixth less time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from server.models.transformer import LinearGelu


class PackedLinear(nn.Module):
    """What a float32 ``linear`` computes but for rounding, for inference: (..., K) to (..., N)."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.activation = "gelu" if isinstance(linear, LinearGelu) else "none"
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())

    def forward(self, x: Tensor) -> Tensor:
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, [], "none")
        return packed


def can_pack() -> bool:
    """Whether this torch, on this processor, has the kernels (inductor's, not public) and they give what they should."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    linear, x = LinearGelu(16, 8), torch.linspace(-2.0, 2.0, 48).view(3, 16)
    try:
        with torch.no_grad():
            return torch.allclose(PackedLinear(linear)(x), linear(x), atol=1e-5)
    except (AttributeError, RuntimeError, TypeError):
        return False


def use_packed_weights(model: nn.Module) -> None:
    """Pack the encoder and the head of a masked or residual transformer; nothing where that cannot be done.

    For inference only: the packed weights cannot be trained, saved or copied.
    """
    if all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters()) and can_pack():
        pack_linears(model.get_submodule("encoder"))
        pack_linears(model.get_submodule("head"))


def pack_linears(module: nn.Module) -> None:
    """Put a :class:`PackedLinear` in the place of every linear layer within ``module``."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, PackedLinear(child))
        else:
            pack_linears(child)
