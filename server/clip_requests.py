"""The `generate` and `edit` messages of a client: whole clips, each asked of the model at once."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace

from protocol.errors import ErrorCode
from protocol.messages import Clip, Edit, Error, Generate, ServerMessage
from protocol.poses import Encoding
from server.backend import Need
from server.clips import ClipEdit, generate_request, generated_clip
from server.config import ServeConfig
from server.jobs import Jobs
from server.model_calls import Request, Result
from server.model_info import ModelInfo
from server.motion.in_turn import following
from server.motion.motion import Motion, MotionRequest
from server.refusals import id_in_use, refusal
from server.replies import Replies


@dataclass(frozen=True, eq=False)
class _ClipAsker:
    """A message that waits for the answer to ``request``; ``finish`` makes its own, when nothing more is to be asked."""

    id: str
    request: Request
    finish: Callable[[Motion], Clip]
    model: ModelInfo
    jobs: Jobs
    replies: Replies
    waits = True

    def deliver(self, result: Result, now: float) -> None:
        more = None
        if isinstance(self.request, MotionRequest) and isinstance(result, Motion):
            result, more = following(self.request, result, self.model.fps, self.model.skeleton)
        if more is not None:
            self.jobs.submit(more, replace(self, request=more), now, Need(sure=True))
        else:
            self.replies.send(self._answer(result), repeats=False)

    def refuse(self, reason: str, now: float) -> None:
        self.replies.refuse(refusal(ErrorCode.BUSY, reason, self.id), now)

    def _answer(self, result: Result) -> ServerMessage:
        if isinstance(result, Exception):
            return refusal(ErrorCode.GENERATION_FAILED, f"the model failed: {result}", self.id)
        try:
            return self.finish(result)
        except ValueError as error:
            return refusal(ErrorCode.GENERATION_FAILED, f"the model's motion cannot be sent: {error}", self.id)


class ClipRequests:
    """Those of one session. ``draw_seed`` gives the seeds that the client leaves open."""

    def __init__(
        self, config: ServeConfig, model: ModelInfo, jobs: Jobs, replies: Replies, draw_seed: Callable[[], int]
    ) -> None:
        self.encoding: Encoding = "float32"
        """Of the clips that are answered."""
        self._config, self._model, self._jobs, self._replies, self._draw_seed = config, model, jobs, replies, draw_seed

    @property
    def ids(self) -> set[str]:
        """Of those that wait for an answer."""
        return {asker.id for asker in self._jobs.askers if isinstance(asker, _ClipAsker)}

    def generate(self, message: Generate, now: float, others: Set[str]) -> Error | None:
        """Asks for a clip. ``others``: ids that the prompts have. Returns why it is refused, None: it is not."""
        refused = self._room_for(message.id, others)
        if refused is not None:
            return refused
        model, encoding = self._model, self.encoding
        seed = self._draw_seed() if message.seed is None else message.seed
        request = generate_request(message, model.actions(message.text), seed, model.fps, model.max_frames)

        def finish(motion: Motion) -> Clip:
            return generated_clip(message, seed, motion, model.fps, encoding)

        self._ask(request, message.id, finish, now)
        return None

    def edit(self, message: Edit, now: float, others: Set[str]) -> Error | None:
        """Asks for the ranges of a clip to be made anew; as `generate` otherwise."""
        if not self._model.edits:
            return refusal(ErrorCode.UNSUPPORTED, "this server's model cannot edit; see welcome.supports", message.id)
        refused = self._room_for(message.id, others)
        if refused is not None:
            return refused
        model = self._model
        seed = self._draw_seed() if message.seed is None else message.seed
        edit = ClipEdit.of(message, seed, model.fps, model.max_frames)
        self._ask(edit.request, message.id, lambda motion: edit.clip(motion, model.fps), now)
        return None

    def _ask(self, request: Request, request_id: str, finish: Callable[[Motion], Clip], now: float) -> None:
        asker = _ClipAsker(request_id, request, finish, self._model, self._jobs, self._replies)
        self._jobs.submit(request, asker, now, Need())

    def _room_for(self, request_id: str, others: Set[str]) -> Error | None:
        ids = self.ids
        if len(ids) >= self._config.max_pending_requests:
            text = f"{len(ids)} requests wait for an answer, which is the limit; try again when one has come"
            return refusal(ErrorCode.BUSY, text, request_id)
        return id_in_use(request_id, request_id) if request_id in ids | others else None
