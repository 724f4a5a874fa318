"""The client against a scripted server in the same process: what it sends, and what it does with every answer."""

import asyncio
import contextlib
from dataclasses import replace

import numpy as np
import pytest
from websockets.asyncio.client import connect as plain_connect
from websockets.asyncio.server import serve

from protocol import codec, limits
from protocol.client import Client, ClientConfig, FrameBlock, connect
from protocol.client_errors import (
    AddressError,
    ConnectionLostError,
    HandshakeError,
    RefusedError,
    RequestFailedError,
    RequestTimeoutError,
    UnreachableError,
)
from protocol.errors import CloseCode, InvalidFieldError
from protocol.messages import (
    Clip,
    Control,
    Edit,
    Error,
    Generate,
    Hello,
    Playhead,
    Prompt,
    PromptStatus,
    Stats,
    Steer,
    Timeline,
)
from protocol.unanswered import Unanswered
from protocol.vectors.cases import blocks, example_poses, server_messages

WELCOME = server_messages()["welcome"]
PACKER = codec.FramePacker(30.0, "float32")


@contextlib.asynccontextmanager
async def scripted(script, subprotocols=(limits.SUBPROTOCOL,), welcome=WELCOME):
    """A server that greets, then runs ``script(socket)``; yields a config that points to it."""

    async def handler(socket):
        if welcome is not None:
            assert isinstance(codec.decode_client(await socket.recv()), Hello)
            await socket.send(codec.encode(welcome))
        await script(socket)

    async with serve(handler, "127.0.0.1", 0, subprotocols=subprotocols, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        yield ClientConfig(url=f"ws://127.0.0.1:{port}", open_timeout=5.0, close_timeout=2.0, restart_seconds=0.0)


async def receive(socket):
    return codec.decode_client(await socket.recv())


async def send(socket, *messages):
    for message in messages:
        await socket.send(message if isinstance(message, bytes | str) else codec.encode(message))


def accepted(prompt_id, character="main"):
    return PromptStatus(character=character, id=prompt_id, status="accepted")


async def test_hello_carries_the_configuration():
    seen = []

    async def script(socket):
        seen.append(codec.decode_client(await socket.recv()))
        await send(socket, WELCOME)

    async with scripted(script, welcome=None) as config:
        config = ClientConfig(url=config.url, name="test", token="t0k", frame_rate=60.0, encoding="int16")
        async with connect(config) as client:
            assert client.welcome == WELCOME
    assert seen == [Hello(version=1, client="test", token="t0k", frame_rate=60.0, encoding="int16")]


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


async def test_no_server_says_how_to_start_one(unused_tcp_port):
    url = f"ws://127.0.0.1:{unused_tcp_port}"
    with pytest.raises(UnreachableError, match=f"no MotionBridge server at {url}.*motionbridge serve"):
        await Client.open(ClientConfig(url=url))


async def test_not_an_address():
    with pytest.raises(AddressError, match="ws://127"):
        await Client.open(ClientConfig(url="http//nowhere"))


async def test_a_server_of_another_kind_is_recognised():
    async def script(socket):
        await socket.wait_closed()

    async with scripted(script, subprotocols=["chat"], welcome=None) as config:
        with pytest.raises(HandshakeError, match="does not answer like a MotionBridge server"):
            await Client.open(config)
    async with scripted(script, subprotocols=None, welcome=None) as config:
        with pytest.raises(HandshakeError, match=r"motionbridge\.v1"):
            await Client.open(config)


async def test_a_silent_server_is_given_up():
    async def script(socket):
        await socket.wait_closed()

    async with scripted(script, welcome=None) as config:
        impatient = ClientConfig(url=config.url, open_timeout=0.2)
        with pytest.raises(HandshakeError, match=r"no `welcome` within 0\.2 s"):
            await Client.open(impatient)


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (Error(code="unauthorized", message="wrong token"), RefusedError, "unauthorized.*wrong token; pass the token"),
        (Stats(frames_sent=0, frames_dropped=0), HandshakeError, "`stats`, not `welcome`"),
        (b"\xc1", HandshakeError, "not valid msgpack"),
    ],
)
async def test_a_wrong_first_answer(answer, error, text):
    async def script(socket):
        await socket.recv()
        await send(socket, answer)
        await socket.wait_closed()

    async with scripted(script, welcome=None) as config:
        with pytest.raises(error, match=text):
            await Client.open(config)


async def test_closing_before_welcome_names_the_close_code():
    async def script(socket):
        await socket.recv()
        await socket.close(CloseCode.SERVER_FULL, "64 clients")

    async with scripted(script, welcome=None) as config:
        with pytest.raises(ConnectionLostError, match="4013: 64 clients; try again later"):
            await Client.open(config)


async def test_close_is_clean_and_can_be_repeated():
    codes = []

    async def script(socket):
        await socket.wait_closed()
        codes.append(socket.close_code)

    async with scripted(script) as config:
        client = await Client.open(config)
        await client.close()
        await client.close()
        assert [event async for event in client] == []
    assert codes == [1000]


async def test_a_plain_library_client_can_talk_to_the_same_server():
    """Nothing in the protocol needs our client."""

    async def script(socket):
        message = await receive(socket)
        await send(socket, accepted(message.id))

    async with (
        scripted(script) as config,
        plain_connect(config.url, subprotocols=[limits.SUBPROTOCOL], proxy=None) as socket,
    ):
        await send(socket, Hello(version=1))
        assert codec.decode_server(await socket.recv()) == WELCOME
        await send(socket, Prompt(id="p", text="walk"))
        assert codec.decode_server(await socket.recv()) == accepted("p")


RESUMABLE = WELCOME.model_copy(update={"resume": "t0ken"})


@contextlib.asynccontextmanager
async def connections(*scripts):
    """A server that runs one script for each connection, the last one for all that follow; ``hello``s are kept."""
    hellos = []

    async def handler(socket):
        hellos.append(codec.decode_client(await socket.recv()))
        await scripts[min(len(hellos), len(scripts)) - 1](socket)

    async with serve(handler, "127.0.0.1", 0, subprotocols=[limits.SUBPROTOCOL], compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        yield (
            ClientConfig(
                url=f"ws://127.0.0.1:{port}",
                open_timeout=5.0,
                request_timeout=5.0,
                close_timeout=2.0,
                restart_seconds=0.0,
            ),
            hellos,
        )


async def drops_after_frames(socket):
    await send(socket, RESUMABLE, accepted("a"), PACKER.pack("main", 0, "a", example_poses(3)))
    await receive(socket)
    socket.transport.abort()


async def test_a_dropped_connection_is_resumed_and_events_go_on():
    seen = []

    async def second(socket):
        await send(socket, RESUMABLE.model_copy(update={"resumed": True, "characters": ("main", "new")}))
        seen.append(await receive(socket))
        await send(socket, PACKER.pack("main", 3, "a", example_poses(2)))
        await socket.close()

    async with connections(drops_after_frames, second) as (config, hellos), connect(config) as client:
        events = aiter(client)
        assert isinstance(await anext(events), PromptStatus)
        assert (await anext(events)).first == 0
        with pytest.raises(ConnectionLostError):
            await client.generate("a person bows")  # the server reads it and drops
        await client.control("pause")
        rest = [event.first async for event in events]
        assert rest == [3]
        assert client.buffer().buffered(-1) == 5
        assert client.characters == ("main", "new")
        assert client.resumed == 1
    assert (hellos[0].resume, hellos[0].received) == (None, None)
    assert (hellos[1].resume, hellos[1].received) == ("t0ken", 2)
    assert seen == [Control(action="pause")]


async def test_prompts_that_may_be_lost_are_sent_again_and_their_duplicates_are_no_errors():
    seen = []

    async def first(socket):
        await send(socket, RESUMABLE)
        await send(socket, accepted((await receive(socket)).id))
        for _ in range(2):
            await receive(socket)
        socket.transport.abort()

    async def second(socket):
        await send(socket, RESUMABLE.model_copy(update={"resumed": True, "characters": ("main",)}))
        for _ in range(3):
            seen.append(await receive(socket))
        refused = Error(code="duplicate_id", message="it plays", id=seen[0].id)
        other = Error(code="duplicate_id", message="it plays", id="another")
        await send(socket, refused, other, *(accepted(entry.id) for entry in seen[1].prompts))
        await socket.close()

    async with connections(first, second) as (config, _), connect(config) as client:
        answered = await client.prompt("a person walks")
        events = aiter(client)
        assert (await anext(events)).id == answered
        perhaps = await client.prompt("a person waves", mode="queue")
        entries = await client.timeline(["a person bows", "a person sits"], mode="queue")
        while client.resumed == 0:
            await asyncio.sleep(0)
        later = await client.prompt("a person stands", mode="queue")
        assert [event.id async for event in events] == ["another", *entries]
    assert [seen[0].id, [entry.id for entry in seen[1].prompts], seen[2].id] == [perhaps, entries, later]


def test_unanswered_prompts_are_bounded():
    unanswered = Unanswered(capacity=2)
    for name in "abc":
        unanswered.sent(Prompt(id=name, text="walk"))
    assert [message.id for message in unanswered.again()] == ["b", "c"]
    assert unanswered.take(Error(code="too_many_prompts", message="32 wait", id="b"))
    assert not unanswered.take(Error(code="duplicate_id", message="it plays", id="c"))
    assert unanswered.again() == []


async def test_a_session_that_is_gone_ends_the_client_with_the_reason():
    async def fresh(socket):
        await send(socket, RESUMABLE)
        await socket.wait_closed()

    async with connections(drops_after_frames, fresh) as (config, _), connect(config) as client:
        await client.control("pause")
        with pytest.raises(ConnectionLostError, match="no longer has the session"):
            async for _ in client:
                pass
        with pytest.raises(ConnectionLostError, match="no longer has the session"):
            await client.prompt("too late")


async def test_resuming_is_tried_again_when_there_is_no_room_but_not_for_ever():
    async def full(socket):
        await send(socket, Error(code="server_full", message="64 connections"))
        await socket.close(CloseCode.SERVER_FULL, "64 connections")

    async with connections(drops_after_frames, full) as (config, hellos):
        async with connect(replace(config, resume_seconds=0.35)) as client:
            await client.control("pause")
            with pytest.raises(ConnectionLostError, match=r"within 0\.35 s.*64 connections"):
                async for _ in client:
                    pass
        assert len(hellos) > 2


async def test_a_server_that_goes_while_it_is_greeted_is_tried_again():
    async def goes(socket):
        await socket.close(1001, "the server is shutting down")

    async def resumes(socket):
        await send(socket, RESUMABLE.model_copy(update={"resumed": True}))
        await socket.close()

    async with connections(drops_after_frames, goes, resumes) as (config, hellos), connect(config) as client:
        await client.control("pause")
        async for _ in client:
            pass
        assert client.resumed == 1
        assert len(hellos) == 3


@pytest.mark.parametrize("case", ["switched off", "no token", "closed by the server", "refused"])
async def test_not_every_end_is_resumed(case):
    async def ends(socket):
        await send(socket, WELCOME if case == "no token" else RESUMABLE)
        await receive(socket)
        if case == "closed by the server":
            await socket.close(CloseCode.TOO_SLOW, "nothing was read")
        socket.transport.abort()

    async def refuses(socket):
        await send(socket, Error(code="unauthorized", message="wrong token"))
        await socket.close(CloseCode.UNAUTHORIZED, "wrong token")

    async with connections(ends, refuses) as (config, hellos):
        config = replace(config, resume_seconds=0.0) if case == "switched off" else config
        async with connect(config) as client:
            await client.control("pause")
            with pytest.raises(ConnectionLostError, match="wrong token" if case == "refused" else "code"):
                async for _ in client:
                    pass
        assert len(hellos) == (2 if case == "refused" else 1)


async def test_closing_while_it_resumes_ends_at_once():
    async def silent(socket):
        await socket.wait_closed()

    async with connections(drops_after_frames, silent) as (config, hellos):
        client = await Client.open(config)
        await client.control("pause")
        while len(hellos) < 2:
            await asyncio.sleep(0)
        async with asyncio.timeout(5.0):
            await client.close()
        assert client.resumed == 0


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
