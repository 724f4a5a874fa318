"""State keys of the published MoMask checkpoints and what the same parameters are called here."""

from __future__ import annotations

from collections.abc import Iterator

from server.models.masked import MaskedConfig
from server.models.residual import ResidualConfig
from server.models.rvq import RVQConfig


def both(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    """Weight and bias of one module: (their name, our name)."""
    yield f"{theirs}.weight", f"{ours}.weight"
    yield f"{theirs}.bias", f"{ours}.bias"


def rvq_names(config: RVQConfig) -> dict[str, str]:
    """Their state key to ours, for the whole RVQ-VAE."""
    last = 2 + config.down_t
    modules = {"encoder.model.0": "encoder.input", f"encoder.model.{last}": "encoder.output"}
    modules |= {"decoder.model.0": "decoder.input", f"decoder.model.{last}": "decoder.hidden"}
    modules[f"decoder.model.{last + 2}"] = "decoder.output"
    for stage in range(config.down_t):
        for side, conv, blocks in (("encoder", 0, 1), ("decoder", 2, 0)):
            modules[f"{side}.model.{2 + stage}.{conv}"] = f"{side}.stages.{stage}.conv"
            for block in range(config.depth):
                theirs, ours = (
                    f"{side}.model.{2 + stage}.{blocks}.model.{block}",
                    f"{side}.stages.{stage}.blocks.{block}",
                )
                modules |= {f"{theirs}.conv1": f"{ours}.dilated", f"{theirs}.conv2": f"{ours}.pointwise"}
    names = dict(pair for theirs, ours in modules.items() for pair in both(theirs, ours))
    return names | {
        f"quantizer.layers.{q}.codebook": f"quantizer.layers.{q}.codebook" for q in range(config.quantizers)
    }


def transformer_names(layers: int) -> dict[str, str]:
    """Their state key to ours, for what the two transformers share."""
    modules = {
        "input_process.poseEmbedding": "token_projection",
        "cond_emb": "cond_projection",
        "output_process.dense": "head.dense",
        "output_process.LayerNorm": "head.norm",
        "output_process.poseFinal": "head.output",
    }
    names = {}
    for layer in range(layers):
        theirs, ours = f"seqTransEncoder.layers.{layer}", f"encoder.layers.{layer}"
        modules |= {f"{theirs}.self_attn.out_proj": f"{ours}.attention.out", f"{theirs}.linear1": f"{ours}.up"}
        modules |= {f"{theirs}.linear2": f"{ours}.down"}
        modules |= {f"{theirs}.norm1": f"{ours}.norm1", f"{theirs}.norm2": f"{ours}.norm2"}
        names[f"{theirs}.self_attn.in_proj_weight"] = f"{ours}.attention.qkv.weight"
        names[f"{theirs}.self_attn.in_proj_bias"] = f"{ours}.attention.qkv.bias"
    return names | dict(pair for theirs, ours in modules.items() for pair in both(theirs, ours))


def masked_names(config: MaskedConfig) -> dict[str, str]:
    """Their state key to ours, for the masked transformer without its position table."""
    return transformer_names(config.layers) | {"token_emb.weight": "token_embedding.weight"}


def residual_names(config: ResidualConfig) -> dict[str, str]:
    """Their state key to ours, for the residual transformer without its position table."""
    return {
        **transformer_names(config.layers),
        **dict(both("quant_emb", "layer_projection")),
        "token_embed_weight_": "first_embedding",
        "embed_proj_shared_weight": "shared",
        "output_proj_weight_": "last_output",
    }


def length_names() -> dict[str, str]:
    """Their state key to ours, for the length estimator."""
    modules = {"output.0": "linears.0", "output.1": "norms.0", "output.4": "linears.1", "output.5": "norms.1"}
    modules |= {"output.8": "linears.2", "output.9": "norms.2", "output.11": "output"}
    return dict(pair for theirs, ours in modules.items() for pair in both(theirs, ours))
