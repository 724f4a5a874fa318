"""Linear layers whose weights lie as the CPU's matrix kernels read them, on request in half precision.

For the few dozen rows of a sentence, a matrix product spends part of its time bringing the weights into that order, and does it anew
in every call. oneDNN can do it once, and takes the GELU along: a sentence of the published model takes a sixth less time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from server.models.transformer import LinearGelu


class PackedLinear(nn.Module):
    """What a float32 ``linear`` computes but for rounding, for inference: (..., K) to (..., N).

    With ``half``, factors are rounded to bfloat16 and added up in float32; the result is rounded too. It comes as float32,
    or as bfloat16 after a GELU, since what follows one here takes that.
    """

    def __init__(self, linear: nn.Linear, half: bool = False) -> None:
        super().__init__()
        gelu = isinstance(linear, LinearGelu)
        self.activation = "gelu" if gelu else "none"
        self.dtype = torch.bfloat16 if half else torch.float32
        self.result = torch.bfloat16 if half and gelu else torch.float32
        self.bias = linear.bias.detach().to(self.dtype)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().to(self.dtype))

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.dtype)
        packed: Tensor = torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, self.activation, [], "none")
        return packed.to(self.result)


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 numbers faster than float32 ones."""
    asks = (
        getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    )  # not public
    return any(ask is not None and ask() for ask in asks)


def can_pack(half: bool = False) -> bool:
    """Whether this torch, on this processor, has the kernels (inductor's, not public) and they give what they should."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    if half and not cpu_has_bfloat16():
        return False
    linear, x = LinearGelu(16, 8), torch.linspace(-2.0, 2.0, 48).view(3, 16)
    try:
        with torch.no_grad():
            made = PackedLinear(linear, half)(x).float()
            return torch.allclose(made, linear(x), atol=0.05 if half else 1e-5)
    except (AttributeError, RuntimeError, TypeError):
        return False


def use_packed_weights(model: nn.Module, half: bool = False) -> None:
    """Pack the encoder and the head of a float32 masked or residual transformer on a CPU; nothing where that cannot be done.

    ValueError when it cannot be done in half precision. For inference only: the packed weights cannot be trained, saved or
    copied.
    """
    fits = all(p.device.type == "cpu" and p.dtype == torch.float32 for p in model.parameters())
    if fits and can_pack(half):
        pack_linears(model.get_submodule("encoder"), half)
        pack_linears(model.get_submodule("head"), half)
    elif half:
        raise ValueError(
            "half precision on a CPU needs one with bfloat16 instructions (AVX-512 BF16 or AMX) and a torch that uses them; "
            "take fp32 here"
        )


def pack_linears(module: nn.Module, half: bool) -> None:
    """Put a :class:`PackedLinear` in the place of every linear layer within ``module``."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, PackedLinear(child, half))
        else:
            pack_linears(child, half)
