"""The controls beside the stage: what a person asks for, and what is told in answer."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import numpy as np
import viser

from protocol import limits
from protocol.client_errors import ClientError
from protocol.errors import ProtocolError
from protocol.fields import Mode, OnEnd
from server.preview.character import MEMORY_SECONDS, RATE, Character, SentPrompt
from server.preview.downloads import KINDS, file_name, motion_file, take_of
from server.preview.session import PromptSettings, Session
from server.preview.stage import Stage

HISTORY_KEPT: Final = 50
_FIRST_TEXT: Final = "a person walks forward"
_HISTORY_HEAD: Final = "earlier sentences …"
_LISTED_PROMPTS: Final = 5
_SIGNS: Final = {
    "sent": "…",
    "accepted": "○",
    "started": "▶",
    "finished": "✓",
    "cancelled": "–",
    "failed": "✗",
    "refused": "✗",
}
_SHOWN: Final = {"trail": "Trail", "contacts": "Foot contacts", "label": "Names"}
_HOW_TO_STEER: Final = """\
Click the ground: a walking character goes there. Shift-click adds another way-point. Click a character to select it."""


class Panel:
    """Controls of a viser server; every method and callback runs in its event loop."""

    def __init__(self, server: viser.ViserServer, session: Session, stage: Stage) -> None:
        self._server, self._session, self._stage = server, session, stage
        self.selected = ""
        self.hidden: set[str] = set()
        self._history: list[str] = []
        gui = server.gui
        gui.configure_theme(brand_color=(42, 111, 151), control_width="large", show_logo=False, show_share_button=False)
        gui.set_panel_label("MotionBridge")
        gui.main_panel.dock_right()
        self._state = gui.add_markdown("connecting …")
        self._figures = gui.add_markdown("")
        self._add_prompt(gui)
        self._add_characters(gui)
        self._add_steering(gui)
        self._add_view(gui)
        self._add_saving(gui)

    def refresh(self) -> None:
        """Brings figures, lists and the choice of characters up to date."""
        session = self._session
        if self.selected not in session.characters:
            self.selected = next(iter(session.characters), "")
        names = tuple(session.characters) or ("–",)
        if self._choice.options != names:
            self._choice.options = names
        if self.selected and self._choice.value != self.selected:
            self._choice.value = self.selected  # type: ignore[misc]
        self._state.content = self._state_text()
        character = session.characters.get(self.selected)
        self._prompts.content = _prompt_list(list(character.prompts.values())) if character else ""
        self._figures.content = self._figures_text(character)

    def say(self, text: str) -> None:
        """A line for everyone at the page."""
        for client in self._server.get_clients().values():
            client.add_notification("MotionBridge", text, auto_close_seconds=8.0)

    def _add_prompt(self, gui: viser.GuiApi) -> None:
        with gui.add_form("Prompt") as form:
            self._text = gui.add_text("Sentence", _FIRST_TEXT)
            self._play = gui.add_button("Play now", icon=viser.Icon.PLAYER_PLAY, hint="replaces what plays (Enter)")
            self._queue = gui.add_button(
                "Add to the queue", icon=viser.Icon.PLAYLIST_ADD, color="gray", hint="plays after what plays and waits"
            )
            self._again = gui.add_dropdown("History", (_HISTORY_HEAD,))
            self._seconds = gui.add_text(
                "Seconds", "", hint=f"{limits.MIN_SECONDS:g} to {limits.MAX_SECONDS:g}; empty: the server chooses"
            )
            self._seed = gui.add_text(
                "Seed", "", hint="the same seed gives the same motion; empty: a new one each time"
            )
            self._guidance = gui.add_text(
                "Guidance",
                "",
                hint=f"how closely to follow the text, 0 to {limits.MAX_GUIDANCE:g}; empty: the model's own",
            )
            self._on_end = gui.add_dropdown("Then", ("idle", "repeat", "hold"), hint="what follows when nothing waits")
        self._prompts = gui.add_markdown("")
        form.on_submit(self._guarded(lambda _: self._send("replace")))
        self._play.on_click(lambda _: form.submit())
        self._queue.on_click(self._guarded(lambda _: self._send("queue")))
        self._again.on_update(self._guarded(self._recall))

    def _add_characters(self, gui: viser.GuiApi) -> None:
        with gui.add_folder("Character"):
            self._choice = gui.add_dropdown("Selected", ("–",))
            buttons = gui.add_button_group("Stage", ("Add", "Remove", "Stop"))
            self._pause = gui.add_button("Pause", icon=viser.Icon.PLAYER_PAUSE, color="gray")
        self._choice.on_update(self._guarded(self._select))
        buttons.on_click(self._guarded(self._change_stage))
        self._pause.on_click(self._guarded(lambda _: self._toggle_pause()))

    def _add_steering(self, gui: viser.GuiApi) -> None:
        with gui.add_folder("Steering", expand_by_default=False):
            gui.add_markdown(_HOW_TO_STEER)
            self._speed = gui.add_text("Speed", "", hint="m/s; empty: the motion's own")
            release = gui.add_button("Let go", color="gray", hint="forget way-points and speed")
        release.on_click(self._guarded(lambda _: self._session.walk_to(self.selected, [], None)))
        self._server.scene.on_click()(self._guarded(lambda event: self._click(event, add=False)))
        self._server.scene.on_click(modifier="shift")(self._guarded(lambda event: self._click(event, add=True)))

    def _add_view(self, gui: viser.GuiApi) -> None:
        with gui.add_folder("View"):
            follow = gui.add_checkbox("Follow", True, hint="the view goes with the selected character")
            for what, title in _SHOWN.items():
                box = gui.add_checkbox(title, True)
                box.on_update(self._guarded(functools.partial(self._show, what)))
        follow.on_update(self._guarded(lambda event: self._set_follow(event.target.value)))

    def _add_saving(self, gui: viser.GuiApi) -> None:
        with gui.add_folder("Save what was just seen"):
            self._span = gui.add_slider("Last seconds", 1, round(MEMORY_SECONDS), 1, 10)
            buttons = gui.add_button_group("As", KINDS)
        buttons.on_click(self._guarded(self._save))

    def _guarded(self, action: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Any]:
        """An action whose refusals are told to the person who asked for it."""

        async def run(event: Any) -> None:
            try:
                await action(event)
            except (ProtocolError, ClientError, ValueError) as error:
                if event.client is None:
                    self.say(str(error))
                else:
                    event.client.add_notification("Not done", str(error), color="red", auto_close_seconds=8.0)
            self.refresh()

        return run

    async def _send(self, mode: Mode) -> None:
        text = self._text.value.strip()
        settings = PromptSettings(
            _number("Seconds", self._seconds.value, float),
            _number("Seed", self._seed.value, int),
            _number("Guidance", self._guidance.value, float),
            cast(OnEnd, self._on_end.value),
        )
        await self._session.prompt(self._chosen().name, text, mode, settings)
        self._history = [text, *(earlier for earlier in self._history if earlier != text)][:HISTORY_KEPT]
        self._again.options = (_HISTORY_HEAD, *self._history)
        self._again.value = _HISTORY_HEAD  # type: ignore[misc]

    async def _recall(self, event: Any) -> None:
        if event.target.value != _HISTORY_HEAD:
            self._text.value = event.target.value  # type: ignore[misc]

    async def _select(self, event: Any) -> None:
        if event.target.value in self._session.characters:
            self.selected = event.target.value

    async def _change_stage(self, event: Any) -> None:
        if event.target.value == "Add":
            self.selected = (await self._session.add()).name
        elif event.target.value == "Remove":
            await self._session.remove(self._chosen().name)
        else:
            await self._session.stop(self._chosen().name)

    async def _toggle_pause(self) -> None:
        await self._session.pause(not self._session.paused)
        paused = self._session.paused
        self._pause.label = "Go on" if paused else "Pause"
        self._pause.icon = viser.Icon.PLAYER_PLAY if paused else viser.Icon.PLAYER_PAUSE

    async def _click(self, event: viser.SceneClickEvent, add: bool) -> None:
        name, ground = self._stage.pick(np.array(event.ray_origin), np.array(event.ray_direction))
        if name is not None:
            self.selected = name
        elif ground is not None:
            character = self._chosen()
            point = (ground[0] - character.spawn[0], ground[1] - character.spawn[1])
            path = [*character.path, point] if add else [point]
            await self._session.walk_to(character.name, path, _number("Speed", self._speed.value, float))

    async def _show(self, what: str, event: Any) -> None:
        visible = event.target.value
        (self.hidden.discard if visible else self.hidden.add)(what)
        self._stage.set_visible(what, visible)

    async def _set_follow(self, follow: bool) -> None:
        self._stage.follow = follow

    async def _save(self, event: Any) -> None:
        character = self._chosen()
        take = take_of(character.last(float(self._span.value)), RATE)
        name = file_name(event.target.value, take.caption(len(take) - 1))
        data = await asyncio.to_thread(motion_file, event.target.value, take)
        if event.client is not None:
            event.client.send_file_download(name, data, save_immediately=True)
            text = f"{name}: {len(take)} frames, {len(take) / RATE:.1f} s"
            event.client.add_notification("Saved", text, auto_close_seconds=6.0)

    def _chosen(self) -> Character:
        try:
            return self._session.characters[self.selected]
        except KeyError:
            raise ClientError(self._session.problem or "not connected yet; try again in a moment") from None

    def _state_text(self) -> str:
        if self._session.problem is not None:
            return f"**no connection:** {self._session.problem}; trying again"
        model = self._session.model
        return f"model **{model}** · {len(self._session.characters)} on the stage" if model else "connecting …"

    def _figures_text(self, character: Character | None) -> str:
        if character is None:
            return ""
        rate, held, latency = self._session.figures(character.name)
        rows = (
            ("frames a second", f"{rate:.0f}"),
            ("lead", f"{held * 1000:.0f} ms"),
            ("prompt → frame", "–" if latency is None else f"{latency * 1000:.0f} ms"),
            ("way-points", f"{len(character.path)}"),
            ("frame", f"{max(character.playback.frame, 0)}"),
        )
        return " · ".join(f"{name} **{value}**" for name, value in rows)


def _prompt_list(prompts: list[SentPrompt]) -> str:
    """The latest sentences, newest first, each with what became of it."""
    lines = []
    for prompt in reversed(prompts[-_LISTED_PROMPTS:]):
        seed = f" · seed {prompt.seed}" if prompt.seed is not None else ""
        lines.append(f"- {_SIGNS[prompt.status]} {_plain(prompt.text)}{seed}")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text with what Markdown would take for marks written out."""
    return "".join(f"\\{character}" if character in r"\`*_{}[]<>()#+-.!|~" else character for character in text)


def _number(name: str, text: str, kind: type[Any]) -> Any:
    """A number a person typed, None for none; ValueError names the field."""
    if not text.strip():
        return None
    try:
        return kind(text.strip())
    except ValueError:
        raise ValueError(
            f"{name} is {text.strip()!r}; it must be {'a whole number' if kind is int else 'a number'}"
        ) from None
