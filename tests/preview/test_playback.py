"""The page's clock on a timeline: when it starts, how it goes on, and what it does about frames that do not come."""

import numpy as np
import pytest

from protocol.buffer import FrameBuffer
from protocol.codec import FrameBlock
from protocol.poses import Poses
from server.preview.playback import MAX_SPEED_CHANGE, Playback

RATE = 30.0
LEAD = 0.4


def fill(buffer: FrameBuffer, first: int, count: int) -> None:
    rotations = np.tile(np.array([0, 0, 0, 1], dtype=np.float32), (count, 22, 1))
    poses = Poses(np.zeros((count, 3), dtype=np.float32), rotations, np.zeros(count, dtype=np.uint8))
    buffer.insert(FrameBlock("main", first, RATE, None, poses))


def shown(playback: Playback, buffer: FrameBuffer, start: float, ticks: int, rate: float = RATE) -> list[int | None]:
    return [playback.advance(start + tick / rate, buffer) for tick in range(ticks)]


def test_it_starts_at_the_first_frame_once_half_the_lead_is_held():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    assert playback.advance(0.0, buffer) is None
    fill(buffer, 0, 6)
    assert playback.advance(0.1, buffer) is None
    fill(buffer, 6, 1)
    assert playback.advance(0.2, buffer) == 0
    assert playback.held_seconds(buffer) == pytest.approx(6 / RATE)


def test_it_shows_every_frame_once_in_real_time():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    fill(buffer, 0, 21)
    assert shown(playback, buffer, 5.0, 12) == list(range(12))


def test_a_faster_screen_gets_nothing_new_in_between():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    fill(buffer, 0, 21)
    assert shown(playback, buffer, 0.0, 9, rate=3 * RATE) == [0, None, 1, None, None, 2, None, None, 3]


def test_a_clock_that_jitters_shows_every_frame_once():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    fill(buffer, 0, 40)
    jitter = np.random.default_rng(1).uniform(-0.2, 0.2, 24) / RATE
    assert [playback.advance(5.0 + tick / RATE + off, buffer) for tick, off in enumerate(jitter)][1:] == list(
        range(1, 24)
    )


@pytest.mark.parametrize(("held", "speed"), [(2, 1.0 - MAX_SPEED_CHANGE), (15, 1.0), (40, 1.0 + MAX_SPEED_CHANGE)])
def test_it_bends_time_a_little_when_frames_run_short_or_pile_up(held, speed):
    playback, buffer = Playback(LEAD), FrameBuffer(1024)
    fill(buffer, 0, 100)
    playback.advance(0.0, buffer)
    position, ticks = 0.0, 200
    for tick in range(1, ticks + 1):
        position += speed
        fill(buffer, buffer.newest + 1, max(0, int(position) + held - buffer.newest))
        buffer.newest = int(position) + held
        playback.advance(tick / RATE, buffer)
    assert playback.frame == pytest.approx(position, abs=2.0)


def test_when_it_runs_dry_it_holds_the_last_frame_and_waits_for_half_the_lead_again():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    fill(buffer, 0, 8)
    shown(playback, buffer, 0.0, 20)
    assert playback.frame == 7
    fill(buffer, 8, 3)
    assert shown(playback, buffer, 1.0, 3) == [None, None, None]
    fill(buffer, 11, 12)
    assert shown(playback, buffer, 1.2, 3) == [None, 8, 9]


def test_lost_frames_are_skipped_never_waited_for():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    fill(buffer, 0, 3)
    fill(buffer, 6, 12)
    assert shown(playback, buffer, 0.0, 5) == [0, 1, 2, 6, 7]


def test_time_spent_paused_does_not_count():
    playback, buffer = Playback(LEAD), FrameBuffer(64)
    fill(buffer, 0, 20)
    shown(playback, buffer, 0.0, 3)
    playback.wake()
    assert shown(playback, buffer, 100.0, 2) == [None, 3]


def test_a_page_that_could_not_draw_for_long_does_not_rush():
    playback, buffer = Playback(LEAD), FrameBuffer(1024)
    fill(buffer, 0, 600)
    playback.advance(0.0, buffer)
    assert playback.advance(10.0, buffer) == pytest.approx(0.5 * RATE, abs=1.0)
