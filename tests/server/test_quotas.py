"""The limits of a token on a live server: each with its own error, and none for the holders of another token."""

import pytest
from live_server import Watcher, running
from websockets.exceptions import ConnectionClosed

from protocol.client_errors import ConnectionLostError, RefusedError, RequestFailedError
from protocol.codec import encode, unpack
from protocol.messages import Error, Hello, Prompt
from server.config import Quota, Token

STUDIO, GUEST = "studio-secret", "guest-secret"


def tokens(**guest):
    return {"tokens": {"studio": Token(secret=STUDIO), "guest": Token(secret=GUEST, **guest)}}


async def next_error(watcher: Watcher) -> Error:
    await watcher.until(lambda: watcher.errors)
    return watcher.errors.pop()


async def test_another_address_with_a_token():
    async with running(host="0.0.0.0", token=STUDIO) as server:
        async with server.client(token=STUDIO) as client:
            assert (await client.generate("walk", seconds=1.0)).count == 20
        for token, problem in ((None, "no token"), (GUEST, "wrong token")):
            with pytest.raises(RefusedError, match=problem) as refused:
                async with server.client(token=token):
                    pass
            assert refused.value.code == "unauthorized"
            assert STUDIO not in str(refused.value)


async def test_another_address_without_a_token_if_so_said():
    async with running(host="0.0.0.0", insecure=True) as server, server.client() as client:
        assert (await client.generate("walk", seconds=1.0)).count == 20


async def test_connections():
    async with running(**tokens(connections=1)) as server:
        async with server.client(token=GUEST) as first, server.client(token=STUDIO), server.client(token=STUDIO):
            async with server.raw() as peer:
                await peer.send(encode(Hello(version=1, token=GUEST)))
                assert unpack(await peer.recv())["code"] == "too_many_connections"
                with pytest.raises(ConnectionClosed):
                    await peer.recv()
                assert (peer.close_code, "limit is 1" in peer.close_reason) == (4014, True)
            assert (await first.generate("walk", seconds=1.0)).count == 20
        for _ in range(3):
            async with server.client(token=GUEST) as again:
                await again.generate("walk", seconds=1.0)


async def test_characters_of_all_connections_together():
    async with running(**tokens(characters=2)) as server:
        async with server.client(token=GUEST) as one, server.client(token=GUEST) as two:
            assert one.welcome.limits.characters == 2
            watchers = Watcher(one, server.clock), Watcher(two, server.clock)
            for name in ("a", "b"):
                await watchers[0].until_status(await one.prompt("walk", character=name), "accepted")
            await two.prompt("walk", character="c")
            error = await next_error(watchers[1])
            assert (error.code, error.character) == ("too_many_characters", "c")
            assert "2 characters, its limit is 2" in error.message
            await one.control("remove", character="a")
            await watchers[0].until_status(await one.prompt("run", character="b"), "accepted")
            await watchers[1].until_status(await two.prompt("walk", character="c"), "accepted")
        async with server.client(token=STUDIO) as other:
            watcher = Watcher(other, server.clock)
            for name in ("a", "b", "c"):
                await watcher.until_status(await other.prompt("walk", character=name), "accepted")


async def test_prompts_per_minute():
    async with running(**tokens(prompts_per_minute=2)) as server, server.client(token=GUEST) as client:
        await client.prompt("walk")
        await client.generate("bow", seconds=1.0)
        with pytest.raises(RequestFailedError, match=r"limit of this token is 2; try again in \d+\.\d s") as refused:
            await client.generate("wave", seconds=1.0)
        assert refused.value.code == "prompt_rate_limited"
        async with server.client(token=GUEST) as second:  # the token's, not the connection's
            watcher = Watcher(second, server.clock)
            await second.prompt("walk")
            assert (await next_error(watcher)).code == "prompt_rate_limited"
            server.clock.now += 60.0
            await watcher.until_status(await second.prompt("walk"), "accepted")


async def test_text_length():
    async with running(**tokens(text_characters=10)) as server, server.client(token=GUEST) as client:
        assert client.welcome.limits.text_characters == 10
        watcher = Watcher(client, server.clock)
        await client.prompt("a person walks")
        error = await next_error(watcher)
        assert (error.code, error.field) == ("text_too_long", "text")
        assert "text has 14 characters, the limit of this token is 10" in error.message
        await watcher.until_status(await client.prompt("walks"), "accepted")


async def test_message_size():
    async with running(**tokens(message_bytes=1024)) as server, server.raw() as peer:
        await peer.send(encode(Hello(version=1, token=GUEST)))
        assert unpack(await peer.recv())["limits"]["message_bytes"] == 1024
        await peer.send(encode(Prompt(id="p", text="walk")) + bytes(1024))
        answer = unpack(await peer.recv())
        assert (answer["code"], "the limit of this token is 1024" in answer["message"]) == ("too_big", True)
        with pytest.raises(ConnectionClosed):
            await peer.recv()
        assert peer.close_code == 4009


async def test_session_time():
    async with running(**tokens(session_seconds=50.0)) as server, server.client(token=GUEST) as client:
        watcher = Watcher(client, server.clock)
        await client.prompt("walk", on_end="repeat")
        await watcher.until_frame(30)
        server.clock.now += 50.0
        with pytest.raises(ConnectionLostError, match="50 s, the limit of this token; connect again") as lost:
            await watcher.until_frame(10**9)
        assert lost.value.code == 4015
        assert watcher.errors[-1].code == "session_expired"
        async with server.client(token=GUEST) as again:
            assert not again.welcome.resumed


async def test_the_quota_of_a_server_without_tokens_is_everyones():
    async with running(quota=Quota(connections=1)) as server, server.client():
        with pytest.raises(RefusedError, match="too_many_connections"):
            async with server.client():
                pass


async def greet(peer, **hello) -> dict:
    await peer.send(encode(Hello(version=1, **hello)))
    return unpack(await peer.recv())


@pytest.mark.parametrize("dropped", [True, False])
async def test_a_session_comes_back_though_its_token_allows_one_connection(dropped):
    async with running(**tokens(connections=1)) as server, server.raw() as first:
        resume = (await greet(first, token=GUEST))["resume"]
        if dropped:
            first.transport.abort()
        async with server.raw() as second:
            assert (await greet(second, token=GUEST, resume=resume))["resumed"]
            async with server.raw() as third:
                assert (await greet(third, token=GUEST))["code"] == "too_many_connections"


async def test_a_dropped_session_waits_until_its_token_has_a_connection_left():
    async with running(**tokens(connections=1)) as server:
        async with server.raw() as first:
            resume = (await greet(first, token=GUEST))["resume"]
            first.transport.abort()
        async with server.raw() as other:
            while (await greet(other, token=GUEST))["type"] == "error":  # until the server knows of the drop
                await other.close()
                other = await server.raw()
            async with server.raw() as second:
                assert (await greet(second, token=GUEST, resume=resume))["code"] == "too_many_connections"
            await other.close()
        async with server.raw() as second:
            assert (await greet(second, token=GUEST, resume=resume))["resumed"]


async def test_no_other_token_resumes_a_session():
    async with running(**tokens()) as server, server.raw() as first, server.raw() as second:
        resume = (await greet(first, token=GUEST))["resume"]
        assert not (await greet(second, token=STUDIO, resume=resume))["resumed"]
