"""Sentences (and what came before) to motion: the only module that knows all the models.

One call runs a batch: texts to condition vectors, base tokens by iterative unmasking around the fixed context tokens,
residual tokens, decoding, then joint positions, solved rotations and a place in the world.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence, Sized
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from protocol.skeleton import Skeleton, default_skeleton
from server.cache import EMBEDDED, cached_clip
from server.models.checkpoint import Bundle, CheckpointError, Sampling, load_bundle
from server.models.graphs import use_graphs
from server.models.length import expected_length, sample_length
from server.models.packed import use_packed_weights
from server.models.sampling import edit_base, generate_residual
from server.models.text import CachedTextEncoder, ClipTextEncoder, TextEncoder, load_embedded_text
from server.motion import kinematics, solver
from server.motion import rotation as rot
from server.motion.contacts import clean_contacts
from server.motion.floor import keep_body_above, keep_feet_above
from server.motion.in_turn import first_share
from server.motion.legs import Legs
from server.motion.motion import Motion, MotionRequest
from server.motion.representation import representation
from server.motion.resample import smooth_rotations
from server.motion.rotation import Array
from server.precision import Precision
from server.stopwatch import Stopwatch

MIN_SECONDS, MAX_TOKENS = 1.0, 49
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64)  # to which static shapes are padded
TOKEN_SIZES = (12, 20, 32, MAX_TOKENS)
_CONTEXT_TOKENS = 8  # 1.6 s of what went before fixes the pace and the phase of a step
# On bones of a hand's breadth a millimetre of the decoder's tremble is half a degree: unsmoothed, the torso's joints turn up to
# three times as fast as people's. These turn slowly (99.9 % of the time under 190 degrees/s) and lose nothing by it.
_TORSO = ("spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
_TORSO_SECONDS = 0.075
_SMALL_LATENT = 256  # of transformers whose operations are too short to be shared out among threads
_REQUESTS_A_THREAD = 8
_SEAM_FRAMES = 6  # over which an edit's ends are bent onto the frames around it

Clip = TypeVar("Clip", bound=Sized)
Made = TypeVar("Made")


class Engine:
    """A loaded bundle that answers :class:`MotionRequest`. Use it from one thread at a time (a lock makes sure)."""

    def __init__(
        self, bundle: Bundle, text: TextEncoder, sampling: Sampling | None = None, static_shapes: bool = False
    ) -> None:
        """``sampling`` replaces the bundle's own.

        ``static_shapes`` pads batches and lengths to a few sizes, as CUDA graphs need; the motions stay the same.
        """
        if text.dim != bundle.config.cond_dim:
            raise CheckpointError(f"the text encoder gives {text.dim} values, the model takes {bundle.config.cond_dim}")
        self.bundle = bundle
        self.name = bundle.config.name
        self.fps = bundle.config.frame_rate
        self.skeleton: Skeleton = default_skeleton()
        self.representation = representation(bundle.config.features, bundle.mean.double().cpu().numpy())
        self.layout = self.representation.layout
        self.token_frames = bundle.rvq.config.downsample
        self.max_frames = MAX_TOKENS * self.token_frames
        self.context_frames = _CONTEXT_TOKENS * self.token_frames
        self.one_action = bundle.config.one_action
        self._text = CachedTextEncoder(text, capacity=1024)
        self._sampling = sampling or bundle.config.sampling
        self._lock = threading.Lock()
        self._device = bundle.mean.device
        self._static_shapes = static_shapes
        self.most_threads: int | None = None
        """CPU threads that a call takes where it has work for so many; None: as many as torch is set to."""
        self.stopwatch = Stopwatch()
        """Times the stages `text`, `length`, `encode`, `base`, `residual`, `decode` and `solve` of a batch."""

    def memory(self) -> dict[str, int]:
        """Bytes of the GPU that tensors use (`allocated`) and that this process holds (`reserved`); empty on a CPU."""
        if self._device.type != "cuda":
            return {}
        return {
            "allocated": torch.cuda.memory_allocated(self._device),
            "reserved": torch.cuda.memory_reserved(self._device),
        }

    def generate(self, requests: Sequence[MotionRequest]) -> list[Motion]:
        """One motion per request, independent of what else is in the batch but for rounding.

        A result has exactly the asked ``frames`` (at most ``max_frames`` less the context), or the model's estimate, or its
        share of these where it has a ``rest``. With a context it goes on from the context's last frame, else it starts at
        x = z = 0 facing +Z. MemoryError when so many at once are too much for the GPU; fewer may not be.
        """
        if not requests:
            return []
        try:
            return self._generate_all(requests)
        except torch.OutOfMemoryError as error:
            problem = str(error)
        # Outside the handler: within it the failed call's frames still hold their tensors.
        torch.cuda.empty_cache()
        raise MemoryError(f"{len(requests)} motions at once are too much for the GPU's memory: {problem}")

    def edit(
        self,
        source: Motion,
        ranges: Sequence[tuple[int, int]],
        text: str,
        seed: int = 0,
        *,
        guidance: float | None = None,
        steps: int | None = None,
    ) -> Motion:
        """``source`` with the frames of the half-open ``ranges`` made anew under ``text``; all others bit-identical.

        ``source`` is at the model's frame rate, at most ``max_frames`` long. ``guidance`` and ``steps`` None = the
        model's default. ValueError names a bad range.
        """
        frames = len(source)
        if not self.token_frames <= frames <= self.max_frames:
            raise ValueError(f"the clip has {frames} frames; {self.token_frames} to {self.max_frames} can be edited")
        for start, stop in ranges:
            if not 0 <= start < stop <= frames:
                raise ValueError(f"range {start}..{stop} is not within the clip's {frames} frames")
        tokens = -(-frames // self.token_frames)
        padded = np.concatenate(
            [source.features, np.repeat(source.features[-1:], tokens * self.token_frames - frames, 0)]
        )
        edited = np.zeros(tokens, dtype=bool)
        for start, stop in ranges:
            edited[start // self.token_frames : -(-stop // self.token_frames)] = True
        with self._lock, torch.inference_mode():
            with self.stopwatch("text"):
                cond = self._text.encode([text]).to(self._device)
            kept = self._encode([padded])[0][None]  # (1, N, Q)
            mask = torch.from_numpy(edited).to(self._device)[None]
            request = MotionRequest(text, seed=seed, guidance=guidance, steps=steps)
            indices = self._sample(kept, mask, cond, [tokens], [_Draw.of(request, self._sampling)])
            features = self._decode([indices[0]])[0][:frames]
        solved = self._solve([features])[0]
        result = deepcopy(source)
        for start, stop in ranges:
            anchor = max(start - 1, 0)
            made = self._place(features, solved, anchor, source.root[anchor], float(source.heading[anchor]))
            _paste(result, source, made, start, stop)
            part = slice(start, stop)
            result.rotations[part] = keep_feet_above(result.root[part], result.rotations[part], Legs(self.skeleton))
        return result

    def motion_from_pose(self, root: Array, rotations: Array) -> Motion:
        """A :class:`Motion` of poses that did not come from the model, root (T, 3) and local rotations (T, 22, 4), T >= 2.

        Features are computed from the joint positions; ``contacts`` too.
        """
        positions = kinematics.positions(np.asarray(rotations, float), np.asarray(root, float), self.skeleton)
        extended = np.concatenate([positions, 2 * positions[-1:] - positions[-2:-1]])
        features, heading = self.representation.features(extended)
        root, rotations = np.asarray(root, np.float64), np.asarray(rotations, np.float64)
        return Motion(root, rotations, self._contacts(features, rotations, root), features, heading)

    def _generate_all(self, requests: Sequence[MotionRequest]) -> list[Motion]:
        if self.most_threads is not None:
            large = self.bundle.masked.config.latent > _SMALL_LATENT
            torch.set_num_threads(useful_threads(len(requests), self.most_threads, large=large))
        with self._lock, torch.inference_mode():
            with self.stopwatch("text"):
                cond = self._text.encode([request.text for request in requests]).to(self._device)
                shares = [self._share(request) for request in requests]
            requests, totals = [request for request, _ in shares], [total for _, total in shares]
            draws = [_Draw.of(request, self._sampling) for request in requests]
            made: dict[int, Motion] = {}
            for steps in sorted({draw.steps for draw in draws}):
                group = [at for at, draw in enumerate(draws) if draw.steps == steps]
                motions = self._generate([requests[at] for at in group], cond[group], [draws[at] for at in group])
                made |= dict(zip(group, motions, strict=True))
            motions = [made[at] for at in range(len(requests))]
            return [
                replace(motion, left=max(0, total - len(motion))) for motion, total in zip(motions, totals, strict=True)
            ]

    def _share(self, request: MotionRequest) -> tuple[MotionRequest, int]:
        """A request for its text alone, with its share of the frames, and how many those of text and rest are; 0: not known."""
        if not request.rest:
            return request, request.frames or 0
        texts, step = [request.text, *request.rest], self.token_frames
        expected = [MAX_TOKENS / 2.0] * len(texts)
        if self.bundle.length is not None:
            expected = expected_length(self.bundle.length, self._text.encode(texts).to(self._device)).tolist()
        total = request.frames or min(max(round(sum(expected)), 1), MAX_TOKENS) * step
        least = -(-round(MIN_SECONDS * self.fps) // step) * step
        return replace(request, frames=first_share(total, expected, step, least), rest=()), total

    def _generate(self, requests: Sequence[MotionRequest], cond: Tensor, draws: Sequence[_Draw]) -> list[Motion]:
        contexts = [self._context(request) for request in requests]
        with self.stopwatch("length"):
            frames = self._frames(requests, contexts, cond, draws)
        known = [len(context) // self.token_frames if context is not None else 0 for context in contexts]
        lengths = [k + -(-count // self.token_frames) for k, count in zip(known, frames, strict=True)]
        layers = self.bundle.rvq.config.quantizers
        kept = torch.full((len(requests), max(lengths), layers), -1, dtype=torch.int64, device=self._device)
        mask = torch.ones(kept.shape[:2], dtype=torch.bool, device=self._device)
        continued = [at for at, context in enumerate(contexts) if context is not None]
        clips = [context.features for context in contexts if context is not None]
        for at, tokens in zip(continued, self._encode(clips), strict=True):
            kept[at, : known[at]] = tokens
            mask[at, : known[at]] = False
        indices = self._sample(kept, mask, cond, lengths, draws)
        features = self._decode([row[:length] for row, length in zip(indices, lengths, strict=True)])
        motions = []
        for at, (context, solved) in enumerate(zip(contexts, self._solve(features), strict=True)):
            start = known[at] * self.token_frames
            if context is None:
                placed = self._place(features[at], solved, 0, np.zeros(3), 0.0)
            else:
                placed = self._place(features[at], solved, start - 1, context.root[-1], float(context.heading[-1]))
            motions.append(placed[start : start + frames[at]])
        return motions

    def _context(self, request: MotionRequest) -> Motion | None:
        """The usable end of the context: whole tokens, at most ``context_frames``; None when shorter than one token."""
        if request.context is None:
            return None
        usable = min(len(request.context), self.context_frames) // self.token_frames * self.token_frames
        return request.context[slice(len(request.context) - usable, None)] if usable else None

    def _frames(
        self,
        requests: Sequence[MotionRequest],
        contexts: Sequence[Motion | None],
        cond: Tensor,
        draws: Sequence[_Draw],
    ) -> list[int]:
        """Frames to make for each request: as asked or estimated, within what is left beside the context."""
        estimated = [0] * len(requests)
        if self.bundle.length is not None and any(request.frames is None for request in requests):
            generators = [draw.generator for draw in draws]
            estimated = sample_length(self.bundle.length, cond, generators=generators).tolist()
        result = []
        for request, context, tokens in zip(requests, contexts, estimated, strict=True):
            room = self.max_frames - (len(context) if context is not None else 0)
            wanted = request.frames if request.frames is not None else (tokens or MAX_TOKENS // 2) * self.token_frames
            result.append(int(np.clip(wanted, round(MIN_SECONDS * self.fps) if request.frames is None else 1, room)))
        return result

    def _encode(self, clips: Sequence[Array]) -> list[Tensor]:
        """Tokens (N, Q) of each clip's features (T, C), a whole number of tokens long."""

        def encode(group: Sequence[Array]) -> Tensor:
            motion = torch.from_numpy(np.stack(group).astype(np.float32)).to(self._device)
            return self.bundle.rvq.encode(self.bundle.normalise(motion)).indices

        if not clips:
            return []
        with self.stopwatch("encode"):
            return _by_length(clips, encode)

    def _sample(
        self, kept: Tensor, mask: Tensor, cond: Tensor, lengths: Sequence[int], draws: Sequence[_Draw]
    ) -> Tensor:
        """Tokens (B, N, Q): the places where ``mask`` (B, N) is True made anew, ``kept`` (B, N, Q) elsewhere."""
        batch, tokens = mask.shape
        if self._static_shapes:
            rows, places = (next_size(n, sizes) - n for n, sizes in ((batch, BATCH_SIZES), (tokens, TOKEN_SIZES)))
            kept = F.pad(kept, (0, 0, 0, places, 0, rows), value=-1)
            mask = F.pad(mask, (0, places, 0, rows), value=True)
            cond = F.pad(cond, (0, 0, 0, rows))
            lengths, draws = [*lengths, *[1] * rows], [*draws, *[_Draw.of(MotionRequest(""), self._sampling)] * rows]
        common: dict[str, Any] = {
            "generators": [draw.generator for draw in draws],
            "top_k_threshold": self._sampling.top_k_threshold,
            "static_shapes": self._static_shapes,
        }
        guidance = torch.tensor([draw.guidance for draw in draws])
        with self.stopwatch("base"):
            base = edit_base(
                self.bundle.masked,
                kept[..., 0],
                mask,
                cond,
                lengths,
                steps=draws[0].steps,
                guidance=guidance,
                temperature=self._sampling.temperature,
                order_noise=self._sampling.order_noise,
                **common,
            )
        with self.stopwatch("residual"):
            made = generate_residual(
                self.bundle.residual,
                base,
                cond,
                lengths,
                layers=self._sampling.residual_layers,
                guidance=self._sampling.residual_guidance,
                temperature=self._sampling.residual_temperature,
                keep=kept,
                keep_mask=~mask,
                **common,
            )
        indices = torch.where(mask.unsqueeze(-1), -1, kept)
        indices[..., : made.shape[-1]] = made
        return indices[:batch, :tokens]

    def _decode(self, clips: Sequence[Tensor]) -> list[Array]:
        """Features (T, C) of each clip's tokens (N, Q)."""

        def decode(group: Sequence[Tensor]) -> Array:
            return self.bundle.denormalise(self.bundle.rvq.decode(torch.stack(list(group)))).double().cpu().numpy()

        with self.stopwatch("decode"):
            return _by_length(clips, decode)

    def _solve(self, clips: Sequence[Array]) -> list[solver.Solved]:
        """Local rotations and roots of each clip's features (T, C), in its own place and heading; ``globals`` are not smoothed."""
        with self.stopwatch("solve"):
            positions = [self.representation.positions(features) for features in clips]
            torso = [self.skeleton.index(name) for name in _TORSO]
            frames = _TORSO_SECONDS * self.fps
            whole = []
            for solved, decoded in zip(solver.retarget_clips(positions, self.skeleton), positions, strict=True):
                local = smooth_rotations(solved.local, torso, frames)
                root = keep_body_above(solved.root, local, self.skeleton, decoded)
                whole.append(solved._replace(local=local, root=root))
            return whole

    def _place(self, features: Array, solved: solver.Solved, anchor: int, root: Array, heading: float) -> Motion:
        """A solved clip as motion in the world, so that frame ``anchor`` has the given heading and root x and z."""
        yaw = self.representation.headings(features)
        turn = rot.about_y(np.array(heading - yaw[anchor]))
        path = rot.mul_vec(turn, solved.root)
        path = path + (np.asarray(root) - path[anchor]) * np.array([1.0, 0.0, 1.0])
        rotations = solved.local.copy()
        rotations[:, 0] = rot.mul(turn, rotations[:, 0])
        contacts = self._contacts(features, rotations, path)
        return Motion(path, rot.unroll(rotations), contacts, features, yaw + heading - yaw[anchor])

    def _contacts(self, features: Array, rotations: Array, root: Array) -> np.ndarray:
        """Contacts (T, 4) by the features, or, where these do not say, by the heights and speeds of the feet."""
        flags = self.representation.contacts(features)
        if flags is not None:
            return flags
        feet = kinematics.positions(rotations, root, self.skeleton)[:, list(self.skeleton.feet)]
        return clean_contacts(feet, self.fps)


@dataclass(frozen=True)
class _Draw:
    """What one request draws with: its own random stream makes it independent of the batch."""

    generator: torch.Generator
    guidance: float
    steps: int

    @staticmethod
    def of(request: MotionRequest, sampling: Sampling) -> _Draw:
        generator = torch.Generator().manual_seed(request.seed)
        guidance = sampling.guidance if request.guidance is None else request.guidance
        return _Draw(generator, guidance, sampling.steps if request.steps is None else request.steps)


def load_engine(
    folder: Path = EMBEDDED, device: str = "auto", clip_weights: Path | None = None, precision: Precision = "auto"
) -> Engine:
    """Load a bundle folder; "auto" takes a GPU if there is one.

    ``clip_weights`` None: those in the cache folder, or else open_clip's own.
    ``precision`` "half" is float16 and CUDA graphs on a GPU ("auto" there), on a CPU bfloat16 products in the transformers.
    CheckpointError or TextEncoderError says what is wrong with the model, ValueError with the device.
    """
    device = usable_device(device)
    on_gpu = device.startswith("cuda")
    graphs = on_gpu and precision != "fp32"
    bundle = load_bundle(folder, device, torch.float16 if graphs else torch.float32)
    for model in (bundle.masked, bundle.residual):
        if graphs:
            use_graphs(model)
        elif not on_gpu:
            use_packed_weights(model, half=precision == "half")
    return Engine(bundle, load_text_encoder(bundle, folder, device, clip_weights), static_shapes=graphs)


def load_proved(folder: Path, device: str = "auto", precision: Precision = "auto") -> Engine:
    """As :func:`load_engine`, proved by one motion; it also pays for lazy set-up inside torch, better here than in a game."""
    engine = load_engine(folder, device, precision=precision)
    engine.most_threads = torch.get_num_threads()
    engine.generate([MotionRequest("a person stands still", frames=20)])
    return engine


def useful_threads(requests: int, most: int, *, large: bool) -> int:
    """How many of ``most`` CPU threads make so many motions at once best.

    A small model alone is as fast on one thread as on two, which take twice the processor time; a batch gains by more, and leaves
    one core to the rest of the server. A ``large`` one takes all.
    """
    return most if large else max(1, min(requests // _REQUESTS_A_THREAD, most - 1))


def load_text_encoder(bundle: Bundle, folder: Path, device: str, clip_weights: Path | None = None) -> TextEncoder:
    """The text encoder that a bundle loaded from ``folder`` asks for: its own, or CLIP's as for :func:`load_engine`."""
    if bundle.config.text_encoder == "embedded":
        return load_embedded_text(folder, device)
    return ClipTextEncoder.load(clip_weights or cached_clip(), device)


def _by_length(clips: Sequence[Clip], call: Callable[[Sequence[Clip]], Iterable[Made]]) -> list[Made]:
    """What ``call`` makes of each clip: those of one length share a batch, as padding would reach into the last frames."""
    made: dict[int, Made] = {}
    for length in {len(clip) for clip in clips}:
        group = [at for at, clip in enumerate(clips) if len(clip) == length]
        made |= dict(zip(group, call([clips[at] for at in group]), strict=True))
    return [made[at] for at in range(len(clips))]


def next_size(count: int, sizes: Sequence[int]) -> int:
    """The smallest of ``sizes`` (ascending) that holds ``count``, or else ``count``."""
    return next((size for size in sizes if size >= count), count)


def usable_device(name: str) -> str:
    """``name`` itself, or what "auto" stands for; ValueError when torch knows no such device, or not here."""
    cuda = torch.cuda.is_available()
    if name == "auto":
        return "cuda" if cuda else "cpu"
    try:
        kind = torch.device(name).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda", "mps"):
        raise ValueError(f"device is {name!r}; auto, cpu and cuda (or cuda:1, ...) are possible")
    if kind == "cuda" and not cuda:
        raise ValueError(f"device is {name!r}, but torch sees no GPU here; use auto or cpu")
    return name


def _paste(result: Motion, source: Motion, made: Motion, start: int, stop: int) -> None:
    """Copy frames start..stop of ``made`` into ``result``, bent at both ends to meet the frames around them.

    The root's path is turned and moved evenly over the range so that it ends where the source goes on.
    """
    frames = np.arange(start, stop)
    root, rotations = made.root[frames], made.rotations[frames]
    heading = made.heading[frames]
    if start > 0:
        fade = np.clip(1.0 - (frames - start + 1) / (_SEAM_FRAMES + 1), 0.0, 1.0)
        root = root + fade[:, None] * (source.root[start - 1] - made.root[start - 1])
        rotations = _bend(rotations, made.rotations[start - 1], source.rotations[start - 1], fade)
    if stop < len(source):
        even = (frames - start + 1) / (stop - start + 1)
        turn = np.angle(np.exp(1j * (source.heading[stop] - made.heading[stop])))
        pivot = root[0].copy()
        spin = rot.about_y(even * turn)
        root = pivot + rot.mul_vec(spin, root - pivot)
        rotations[:, 0] = rot.mul(spin, rotations[:, 0])
        heading = heading + even * turn
        end = pivot + rot.mul_vec(rot.about_y(np.array(turn)), made.root[stop] - pivot)
        root = root + even[:, None] * (source.root[stop] - end)
        last = made.rotations[stop].copy()
        last[0] = rot.mul(rot.about_y(np.array(turn)), last[0])
        fade = np.clip(1.0 - (stop - frames) / (_SEAM_FRAMES + 1), 0.0, 1.0)
        rotations = _bend(rotations, last, source.rotations[stop], fade)
    result.root[frames], result.rotations[frames], result.heading[frames] = root, rotations, heading
    result.contacts[frames], result.features[frames] = made.contacts[frames], made.features[frames]


def _bend(rotations: Array, made: Array, wanted: Array, fade: Array) -> Array:
    """Rotations (T, J, 4) changed by the part ``fade`` (T,) of the turn from ``made`` to ``wanted`` (J, 4)."""
    offset = rot.mul(wanted, rot.inv(made))
    weights = np.broadcast_to(fade[:, None], rotations.shape[:2])
    return rot.mul(
        rot.slerp(rot.identity(*rotations.shape[:2]), offset[None] * np.ones_like(rotations), weights), rotations
    )
