"""The start of a connection: which hello is accepted, which code refuses another, and what welcome says."""

import msgpack
import pytest

from protocol import limits
from protocol.codec import build, encode
from protocol.errors import ErrorCode
from protocol.messages import Control, Hello, Prompt
from protocol.skeleton import default_skeleton
from server.access import HelloError
from server.config import Quota, ServeConfig
from server.greeting import read_hello, welcome
from server.model_info import ModelInfo

OPEN = ServeConfig()


def hello(**fields: object) -> Hello:
    return build(Hello, **{"version": limits.PROTOCOL_VERSION, "client": "test", **fields})


def info(**changes: object) -> ModelInfo:
    fields = {"name": "tiny", "fps": 20.0, "skeleton": default_skeleton(), "max_frames": 196, "context_frames": 32}
    return ModelInfo(**{**fields, "edits": True, **changes})


def test_a_good_hello_is_read():
    assert read_hello(encode(hello(frame_rate=60.0))).frame_rate == 60.0
    assert read_hello(encode(hello(token="s\u00e9cret"))).token == "s\u00e9cret"


@pytest.mark.parametrize(
    ("data", "code", "named"),
    [
        (encode(hello(version=2)), ErrorCode.VERSION_MISMATCH, "version 2 is not spoken here; this server speaks 1"),
        (
            encode(build(Prompt, id="p", text="a person waves")),
            ErrorCode.HELLO_REQUIRED,
            "'prompt', it must be `hello`",
        ),
        (encode(build(Control, character="main", action="pause")), ErrorCode.HELLO_REQUIRED, "'control'"),
        (encode(hello())[:-3], ErrorCode.HELLO_REQUIRED, "valid hello"),
        (b"", ErrorCode.HELLO_REQUIRED, "valid hello"),
        ("hello", ErrorCode.HELLO_REQUIRED, "valid hello"),
        (bytes(limits.MAX_MESSAGE_BYTES + 1), ErrorCode.TOO_BIG, str(limits.MAX_MESSAGE_BYTES)),
    ],
)
def test_another_start_is_refused_with_its_code(data, code, named):
    with pytest.raises(HelloError, match=named) as refused:
        read_hello(data)
    assert refused.value.code is code
    assert "waves" not in str(refused.value)


@pytest.mark.parametrize("secret", ["hidden" * 200, ["hidden"], b"hidden", 1])
@pytest.mark.parametrize("name", ["token", "resume"])
def test_no_error_quotes_a_secret(name, secret):
    data = msgpack.packb({**hello().model_dump(exclude_none=True), name: secret})
    with pytest.raises(HelloError, match=f"hello.{name}") as refused:
        read_hello(data)
    assert "hidden" not in str(refused.value)


def test_welcome_says_what_the_client_needs():
    config = ServeConfig(lead_seconds=0.5, max_characters=3, max_queued_prompts=5, max_pending_requests=2)
    answer = welcome(hello(frame_rate=60.0, encoding="int16"), "abc", config, info(), resume="again")
    assert (answer.version, answer.model, answer.session) == (limits.PROTOCOL_VERSION, "tiny", "abc")
    assert (answer.frame_rate, answer.encoding, answer.model_frame_rate, answer.lead) == (60.0, "int16", 20.0, 0.5)
    assert (answer.limits.characters, answer.limits.queued_prompts, answer.limits.pending_requests) == (3, 5, 2)
    assert tuple(joint.name for joint in answer.skeleton.joints) == default_skeleton().names
    assert (answer.resume, answer.resumed, answer.characters) == ("again", False, ())
    assert encode(answer)


def test_welcome_tells_what_the_token_allows():
    quota = Quota(text_characters=80, message_bytes=2048, characters=2)
    told = welcome(hello(), "abc", ServeConfig(max_characters=3), info(), quota=quota).limits
    assert (told.text_characters, told.message_bytes, told.characters) == (80, 2048, 2)


def test_welcome_back_names_the_characters():
    answer = welcome(hello(), "abc", OPEN, info(), resume="again", characters=("main", "npc"))
    assert (answer.resumed, answer.characters) == (True, ("main", "npc"))
    assert "steer" in answer.supports


def test_welcome_promises_edit_only_when_the_model_can():
    assert "edit" in welcome(hello(), "abc", OPEN, info()).supports
    assert "edit" not in welcome(hello(), "abc", OPEN, info(edits=False)).supports


def test_a_model_with_a_long_name_fits_the_wire():
    assert len(welcome(hello(), "abc", OPEN, info(name="x" * 200)).model) == limits.MAX_NAME_CHARACTERS
