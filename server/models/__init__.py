"""MoMask in torch: tensors in, tensors out; no sockets, no skeletons."""
