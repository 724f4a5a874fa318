"""What the client does after its connection has dropped: it resumes its session, begins anew, or says why not."""

import asyncio
from dataclasses import replace

import pytest
from scripted_server import PACKER, RESUMABLE, WELCOME, accepted, connections, receive, send

from protocol import handshake
from protocol.client import Client, Restarted, connect
from protocol.client_errors import CertificateError, ConnectionLostError
from protocol.errors import CloseCode
from protocol.messages import Control, Error, Prompt, PromptStatus
from protocol.unanswered import Unanswered
from protocol.vectors.cases import example_poses


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


async def test_a_prompt_asked_for_in_between_reaches_the_new_session_once():
    seen, asked = [], asyncio.Event()

    async def first(socket):
        await send(socket, RESUMABLE)
        await send(socket, accepted((await receive(socket)).id))
        await receive(socket)
        await socket.close(1001, "the server is shutting down")

    async def second(socket):
        await asked.wait()
        await send(socket, RESUMABLE)
        for _ in range(3):
            seen.append(await receive(socket))
        await socket.close()

    async with connections(first, second) as (config, hellos), connect(replace(config, restart_seconds=60.0)) as client:
        old = await client.prompt("a person walks")
        events = aiter(client)
        assert (await anext(events)).id == old
        await client.control("pause")
        while len(hellos) < 2:
            await asyncio.sleep(0)
        between = asyncio.create_task(client.prompt("a person waves"))
        await asyncio.sleep(0)
        asked.set()
        new = await between
        await client.control("resume")
        assert [type(event) for event in [event async for event in events]] == [Restarted]
        assert (client.restarted, client.resumed, client.characters) == (1, 0, ())
    assert hellos[1].resume is None
    timeline, prompt, control = seen
    assert [entry.id for entry in timeline.prompts] == [old]
    assert prompt.id == new
    assert control == Control(action="resume")


async def test_what_a_new_session_was_not_told_before_it_dropped_it_is_told_when_it_is_resumed(monkeypatch):
    seen = []

    async def first(socket):
        await send(socket, RESUMABLE)
        for _ in range(2):
            await receive(socket)
        await socket.close(1001, "the server is shutting down")

    async def second(socket):
        await send(socket, RESUMABLE)
        await socket.wait_closed()

    async def resumes(socket):
        await send(socket, RESUMABLE.model_copy(update={"resumed": True}))
        while not isinstance(message := await receive(socket), Control):
            seen.append(message)
        await socket.close()

    async def come_back(*arguments):
        socket, welcome = await handshake.come_back(*arguments)
        if not welcome.resumed:
            socket.transport.abort()
            await socket.wait_closed()
        return socket, welcome

    monkeypatch.setattr("protocol.client.come_back", come_back)
    async with (
        connections(first, second, resumes) as (config, _),
        connect(replace(config, restart_seconds=60.0)) as client,
    ):
        asked = [await client.prompt("a person walks", character=name) for name in ("main", "hero")]
        while client.resumed == 0:
            await asyncio.sleep(0)
        await client.control("pause")
        async for _ in client:
            pass
        assert client.restarted == 1
    assert [message.prompts[0].id for message in seen] == asked


async def test_a_removed_character_is_not_asked_for_again():
    seen, removed = [], asyncio.Event()

    async def first(socket):
        await send(socket, RESUMABLE)
        await receive(socket)
        await socket.close(1001, "the server is shutting down")

    async def second(socket):
        await removed.wait()
        await send(socket, RESUMABLE)
        seen.append(await receive(socket))
        await socket.close()

    async with connections(first, second) as (config, hellos), connect(replace(config, restart_seconds=60.0)) as client:
        await client.prompt("a person walks")
        while len(hellos) < 2:
            await asyncio.sleep(0)
        between = asyncio.create_task(client.control("remove"))
        await asyncio.sleep(0)
        removed.set()
        await between
        async for _ in client:
            pass
    assert seen == [Control(action="remove")]


async def test_a_certificate_that_is_not_to_be_trusted_ends_the_client_with_the_reason(monkeypatch):
    async def refuse(config):
        raise CertificateError(config.url, "self-signed certificate")

    async with connections(drops_after_frames) as (config, _), connect(config) as client:
        monkeypatch.setattr("protocol.handshake.open_socket", refuse)
        await client.control("pause")
        with pytest.raises(ConnectionLostError, match="self-signed certificate"):
            async for _ in client:
                pass
