"""How the client connects, greets and closes, against a scripted server in the same process, or none."""

import pytest
from scripted_server import WELCOME, accepted, listening, receive, scripted, send
from websockets.asyncio.client import connect as plain_connect

from protocol import codec, limits
from protocol.client import Client, ClientConfig, connect
from protocol.client_errors import AddressError, ConnectionLostError, HandshakeError, RefusedError, UnreachableError
from protocol.errors import CloseCode
from protocol.messages import Error, Hello, Prompt, Stats


async def test_hello_carries_the_configuration():
    seen = []

    async def script(socket):
        seen.append(codec.decode_client(await socket.recv()))
        await send(socket, WELCOME)

    async with listening(script) as config:
        config = ClientConfig(url=config.url, name="test", token="t0k", frame_rate=60.0, encoding="int16")
        async with connect(config) as client:
            assert client.welcome == WELCOME
    assert seen == [Hello(version=1, client="test", token="t0k", frame_rate=60.0, encoding="int16")]


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

    async with listening(script, ["chat"]) as config:
        with pytest.raises(HandshakeError, match="does not answer like a MotionBridge server"):
            await Client.open(config)
    async with listening(script, None) as config:
        with pytest.raises(HandshakeError, match=r"motionbridge\.v1"):
            await Client.open(config)


async def test_a_silent_server_is_given_up():
    async def script(socket):
        await socket.wait_closed()

    async with listening(script) as config:
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

    async with listening(script) as config:
        with pytest.raises(error, match=text):
            await Client.open(config)


async def test_closing_before_welcome_names_the_close_code():
    async def script(socket):
        await socket.recv()
        await socket.close(CloseCode.SERVER_FULL, "64 clients")

    async with listening(script) as config:
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
