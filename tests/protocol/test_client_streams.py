"""What the client sends, and what it does with every answer, against a scripted server in the same process."""

import asyncio
import contextlib

import numpy as np
import pytest
from scripted_server import PACKER, accepted, receive, scripted, send

from protocol.client import ClientConfig, FrameBlock, connect
from protocol.client_errors import ConnectionLostError, RequestFailedError, RequestTimeoutError
from protocol.errors import CloseCode, InvalidFieldError
from protocol.messages import (
    Clip,
    Control,
    Edit,
    Error,
    Generate,
    Playhead,
    Prompt,
    PromptStatus,
    Stats,
    Steer,
    Timeline,
)
from protocol.vectors.cases import blocks, example_poses


async def test_a_prompt_streams_frames_and_statuses():
    async def script(socket):
        message = await receive(socket)
        assert isinstance(message, Prompt)
        started = PromptStatus(character="main", id=message.id, status="started", frame=0)
        frames = PACKER.pack("main", 0, message.id, example_poses(3))
        await send(socket, accepted(message.id), started, frames, Stats(frames_sent=3, frames_dropped=0))
        await socket.close()

    async with scripted(script) as config, connect(config) as client:
        prompt_id = await client.prompt("a person waves", seconds=2.0, mode="queue")
        events = [event async for event in client]
        kinds = [type(event).__name__ for event in events]
        assert kinds == ["PromptStatus", "PromptStatus", "FrameBlock", "Stats"]
        assert events[2].prompt == prompt_id
        np.testing.assert_array_equal(client.buffer().poses(0, 3).rotations, example_poses(3).rotations)


async def test_overwriting_frames_replace_those_held():
    async def script(socket):
        first, second = example_poses(6, seed=1), example_poses(2, seed=5)
        packed = PACKER.pack("main", 0, "a", first), PACKER.pack("main", 3, "b", second)
        await send(socket, accepted("a"), *packed)
        await socket.close()

    async with scripted(script) as config, connect(config) as client:
        async for _ in client:
            pass
        assert [client.buffer().prompt(i) for i in range(6)] == ["a", "a", "a", "b", "b", "a"]


async def test_frames_of_a_removed_character_are_ignored_until_it_is_back():
    async def script(socket):
        first = await receive(socket)
        await send(socket, accepted(first.id, "hero"), PACKER.pack("hero", 0, first.id, example_poses(2)))
        control = await receive(socket)
        assert (control.character, control.action) == ("hero", "remove")
        again = await receive(socket)
        await send(socket, PACKER.pack("hero", 2, first.id, example_poses(2)))
        await send(socket, accepted(again.id, "hero"), PACKER.pack("hero", 0, again.id, example_poses(1)))
        await socket.close()

    async with scripted(script) as config, connect(config) as client:
        first = await client.prompt("a person walks", character="hero")
        events = aiter(client)
        while not isinstance(await anext(events), FrameBlock):
            pass
        await client.control("remove", character="hero")
        assert client.characters == ()
        again = await client.prompt("a person sits", character="hero")
        prompts = [event.prompt async for event in events if isinstance(event, FrameBlock)]
        assert first != again
        assert prompts == [again]
        assert client.buffer("hero").newest == 0


async def test_generate_and_edit_wait_for_their_own_clip():
    async def script(socket):
        first, second = await receive(socket), await receive(socket)
        assert isinstance(first, Generate)
        assert isinstance(second, Edit)
        assert second.ranges == ((4, 8),)
        clips = [Clip(id=m.id, text=m.text, seed=1, frame_rate=20.0, **blocks(16)) for m in (second, first)]
        await send(socket, *clips)
        await socket.wait_closed()

    async with scripted(script) as config, connect(config) as client:
        generated = asyncio.create_task(client.generate("a person bows", seconds=2.0))
        await asyncio.sleep(0)
        edited = asyncio.create_task(client.edit(example_poses(16), 20.0, [[4, 8]], "a person kicks"))
        assert (await generated).text == "a person bows"
        clip = await edited
        assert clip.text == "a person kicks"
        np.testing.assert_array_equal(clip.poses().root, example_poses(16).root)


async def test_a_failed_request_raises_what_the_server_said():
    async def script(socket):
        message = await receive(socket)
        await send(socket, Error(code="busy", message="64 clips wait already", id=message.id))
        await socket.wait_closed()

    async with scripted(script) as config, connect(config) as client:
        with pytest.raises(RequestFailedError, match=r"busy.*64 clips") as caught:
            await client.generate("a person bows")
        assert caught.value.code == "busy"


async def test_a_request_without_an_answer_times_out():
    async def script(socket):
        await socket.wait_closed()

    async with scripted(script) as config:
        impatient = ClientConfig(url=config.url, request_timeout=0.05)
        async with connect(impatient) as client:
            with pytest.raises(RequestTimeoutError, match=r"0\.05 s"):
                await client.generate("a person bows")


async def test_a_lost_connection_fails_open_requests_and_ends_the_events():
    async def script(socket):
        await receive(socket)
        await socket.close(CloseCode.TOO_SLOW, "nothing was read for 10 s")

    async with scripted(script) as config, connect(config) as client:
        with pytest.raises(ConnectionLostError, match=r"4011: nothing was read.*lower frame rate") as caught:
            await client.generate("a person bows")
        assert caught.value.code == CloseCode.TOO_SLOW
        with pytest.raises(ConnectionLostError):
            async for _ in client:
                pass
        with pytest.raises(ConnectionLostError):
            await client.prompt("too late")


async def test_other_messages_reach_the_server_as_they_should():
    seen = []

    async def script(socket):
        await send(socket, accepted("x"), PACKER.pack("main", 0, "x", example_poses(5)))
        for _ in range(4):
            seen.append(await receive(socket))
        await socket.close()

    async with scripted(script) as config, connect(config) as client:
        events = aiter(client)
        while not isinstance(await anext(events), FrameBlock):
            pass
        ids = await client.timeline(["a person walks", ("a person waves", 2.5)], on_end="hold")
        await client.playhead(1)
        await client.control("pause")
        await client.playhead(7, character="nobody")
        async for _ in events:
            pass
    timeline, playhead, control, other = seen
    assert isinstance(timeline, Timeline)
    assert [(p.id, p.seconds) for p in timeline.prompts] == [(ids[0], None), (ids[1], 2.5)]
    assert playhead == Playhead(frame=1, buffered=3)
    assert control == Control(action="pause")
    assert other == Playhead(character="nobody", frame=7, buffered=0)


async def test_steering_reaches_the_server_as_it_should():
    seen = []

    async def script(socket):
        for _ in range(3):
            seen.append(await receive(socket))
        await socket.close()

    async with scripted(script) as config, connect(config) as client:
        await client.steer(1.0, 1.5)
        await client.steer(waypoints=[(1, 2.5), (-3.0, 0.0)], character="hero")
        await client.steer()
        async for _ in client:
            pass
    assert seen == [
        Steer(heading=1.0, speed=1.5),
        Steer(character="hero", waypoints=((1.0, 2.5), (-3.0, 0.0))),
        Steer(),
    ]


async def test_bad_messages_and_unknown_types_from_the_server_are_skipped():
    async def script(socket):
        unknown = b"\x81\xa4type\xa6future"
        await send(socket, b"\xc1", "text", unknown, accepted("a"), PACKER.pack("main", 0, "a", example_poses(1)))
        await socket.close()

    async with scripted(script) as config, connect(config) as client:
        events = [event async for event in client]
        assert len(events) == 2
        assert client.bad_messages == 2


async def test_events_no_one_reads_are_bounded_and_frames_go_first():
    async def script(socket):
        frames = [PACKER.pack("main", n, "a", example_poses(1)) for n in range(20)]
        await send(socket, accepted("a"), *frames, PromptStatus(character="main", id="a", status="finished", frame=20))
        await socket.close()

    async with scripted(script) as config:
        small = ClientConfig(url=config.url, event_capacity=4)
        async with connect(small) as client:
            await client._reader
            events = [event async for event in client]
            assert [type(e).__name__ for e in events] == ["PromptStatus", "FrameBlock", "FrameBlock", "PromptStatus"]
            assert client.dropped_events == 18
            assert client.buffer().newest == 19


async def test_bad_arguments_are_refused_before_anything_is_sent():
    async def script(socket):
        with contextlib.suppress(Exception):
            assert await socket.recv() is None

    async with scripted(script) as config, connect(config) as client:
        with pytest.raises(InvalidFieldError, match="500 characters"):
            await client.prompt("walk " * 400)
        with pytest.raises(InvalidFieldError, match="ranges"):
            await client.edit(example_poses(16), 20.0, [(4, 99)], "a person kicks")
        with pytest.raises(InvalidFieldError, match="seconds"):
            await client.generate("a person bows", seconds=60.0)
