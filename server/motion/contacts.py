"""Which parts of the feet stand on the ground, free of flicker.

A representation's own contact flags only say that a foot is slow: HumanML3D's are true up to 0.9 m/s and at any height, so a
foot held up in the air is "in contact". Here a contact begins where the foot is low and slow, and where the flags agree; it
lasts until it is clearly neither (hysteresis). Then gaps and contacts too short to be real are closed and dropped.

All arrays have the four feet of ``Skeleton.feet`` in their order: left heel, left toe, right heel, right toe.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from server.motion import rotation as rot
from server.motion.rotation import Array


@dataclass(frozen=True)
class ContactSettings:
    """Heights of the (heel, toe) joints over the floor y = 0, metres; speeds in m/s; durations in seconds.

    A contact begins under ``enter``, and ends over ``leave``. The heel is the ankle joint, at rest some 8 cm up.
    """

    enter_height: tuple[float, float] = (0.13, 0.07)
    leave_height: tuple[float, float] = (0.18, 0.12)
    enter_speed: float = 0.3
    leave_speed: float = 0.6
    least_contact: float = 0.1
    least_gap: float = 0.1


DEFAULT = ContactSettings()


def clean_contacts(
    feet: Array,
    fps: float,
    flags: np.ndarray | None = None,
    *,
    settings: ContactSettings = DEFAULT,
    before: tuple[Array, np.ndarray] | None = None,
) -> np.ndarray:
    """Contacts (T, …, 4) bool of foot joints ``feet`` (T, …, 4, 3), metres, +Y up, floor at y = 0; … are none or several bodies.

    ``flags`` (T, …, 4): a model's or a feature's own contacts; they must agree for a contact to begin and to last, and replace
    the speed that ends it. ``before``: positions (…, 4, 3) and contacts (…, 4) of the frame just before, when this stretch
    continues another. Only runs that begin and end within the stretch are closed or dropped, so a stretch that is
    continued later keeps what it said about its end.
    """
    if not len(feet):
        return np.zeros(feet.shape[:-1], dtype=bool)
    held = np.zeros(feet.shape[1:-1], dtype=bool) if before is None else before[1]
    previous = feet[:1] if before is None else before[0][None]
    speed = rot.length(np.diff(np.concatenate([previous, feet]), axis=0)) * fps  # (T, …, 4)
    if before is None and len(feet) > 1:
        speed[0] = speed[1]
    height = feet[..., 1]
    enter = (height < np.tile(settings.enter_height, 2)) & (speed < settings.enter_speed)
    stay = height < np.tile(settings.leave_height, 2)
    stay &= (speed < settings.leave_speed) if flags is None else flags
    return without_flicker(hysteresis(enter & stay, stay, held), fps, settings)


def without_flicker(flags: np.ndarray, fps: float, settings: ContactSettings = DEFAULT) -> np.ndarray:
    """Contacts (T, …, 4) bool with gaps closed and contacts dropped that are shorter than ``settings`` says."""
    flags = replace_short_runs(flags, False, round(settings.least_gap * fps))
    return replace_short_runs(flags, True, round(settings.least_contact * fps))


def hysteresis(enter: np.ndarray, stay: np.ndarray, before: np.ndarray) -> np.ndarray:
    """State (T, …) bool that turns on where ``enter`` and off where not ``stay``; ``before`` (…) is the state just before."""
    decides = np.concatenate([np.ones_like(enter[:1]), enter | ~stay])  # (T + 1, …)
    value = np.concatenate([before[None], enter & stay])
    last = np.maximum.accumulate(np.where(decides, np.arange(len(decides)).reshape(-1, *[1] * before.ndim), 0), axis=0)
    return np.take_along_axis(value, last, axis=0)[1:]


def replace_short_runs(flags: np.ndarray, value: bool, frames: int) -> np.ndarray:
    """``flags`` (T, …) with runs of ``value`` shorter than ``frames`` inverted, but for those at either end."""
    if frames <= 1:
        return flags
    result = flags.copy()
    columns = result.reshape(len(flags), -1)  # a view
    for column in columns.T:
        changes = (np.flatnonzero(column[1:] != column[:-1]) + 1).tolist()
        for start, end in pairwise(changes):
            if end - start < frames and column[start] == value:
                column[start:end] = not value
    return result
