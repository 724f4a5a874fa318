"""CUDA graphs for a network's forward: one launch in place of a few hundred, for shapes that recur.

The caller keeps to few shapes; what cannot be captured runs eagerly.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

LOG = logging.getLogger(__name__)

Run = Callable[[], Tensor]


def capture_cuda(run: Run) -> Run:
    """A function that replays what ``run`` launched, on the memory that ``run`` read and wrote."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # libraries choose their kernels in the first calls, which a capture forbids
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = run()

    def replay() -> Tensor:
        graph.replay()
        return output

    return replay


class GraphedForward:
    """``forward`` with a graph for each combination of tensor shapes and other arguments, at most ``limit`` of them.

    A result is overwritten by the next call with the same shapes. When a capture fails, all later calls are eager.
    """

    def __init__(
        self, forward: Callable[..., Tensor], capture: Callable[[Run], Run] = capture_cuda, limit: int = 256
    ) -> None:
        self.forward = forward
        self.capture = capture
        self.limit = limit
        self._graphs: dict[tuple[Any, ...], tuple[list[Any], Run]] = {}

    def __call__(self, *arguments: Any) -> Tensor:
        key = tuple((a.shape, a.dtype) if isinstance(a, Tensor) else a for a in arguments)
        if key not in self._graphs and len(self._graphs) < self.limit:
            self._add(key, arguments)
        if key not in self._graphs:
            return self.forward(*arguments)
        held, replay = self._graphs[key]
        for own, given in zip(held, arguments, strict=True):
            if isinstance(own, Tensor):
                own.copy_(given)
        return replay()

    def _add(self, key: tuple[Any, ...], arguments: tuple[Any, ...]) -> None:
        held = [a.clone() if isinstance(a, Tensor) else a for a in arguments]
        try:
            self._graphs[key] = (held, self.capture(lambda: self.forward(*held)))
        except RuntimeError as error:
            LOG.warning("no CUDA graphs, the networks run eagerly: %s", error)
            self.limit = 0
            self._graphs.clear()


def use_graphs(model: nn.Module) -> None:
    """Replace the forward of ``model``, on a GPU and for inference only, by its graphs."""
    setattr(model, "forward", GraphedForward(model.forward))  # noqa: B010 - mypy forbids assigning to a method
