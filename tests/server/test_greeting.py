"""The start of a connection: which hello is accepted, which code refuses another, and what welcome says."""

import pytest

from protocol import limits
from protocol.codec import build, encode
from protocol.errors import ErrorCode
from protocol.messages import Control, Hello
from protocol.skeleton import default_skeleton
from server.config import ServeConfig
from server.greeting import HelloError, ModelInfo, read_hello, welcome

OPEN, GUARDED = ServeConfig(), ServeConfig(token="s\u00e9cret")


def hello(**fields: object) -> Hello:
    return build(Hello, **{"version": limits.PROTOCOL_VERSION, "client": "test", **fields})


def info(**changes: object) -> ModelInfo:
    fields = {"name": "tiny", "fps": 20.0, "skeleton": default_skeleton(), "max_frames": 196, "context_frames": 32}
    return ModelInfo(**{**fields, "edits": True, **changes})


def test_a_good_hello_is_read():
    assert read_hello(encode(hello(frame_rate=60.0)), OPEN).frame_rate == 60.0
    assert read_hello(encode(hello(token="s\u00e9cret")), GUARDED).token == "s\u00e9cret"
    assert read_hello(encode(hello(token="not asked for")), OPEN).token == "not asked for"


@pytest.mark.parametrize(
    ("data", "config", "code", "named"),
    [
        (encode(hello(version=2)), OPEN, ErrorCode.VERSION_MISMATCH, "version 2"),
        (encode(hello(version=2)), GUARDED, ErrorCode.VERSION_MISMATCH, "speaks 1"),
        (encode(hello()), GUARDED, ErrorCode.UNAUTHORIZED, "no token"),
        (encode(hello(token="secret")), GUARDED, ErrorCode.UNAUTHORIZED, "wrong token"),
        (encode(build(Control, character="main", action="pause")), OPEN, ErrorCode.HELLO_REQUIRED, "`control`"),
        (encode(hello())[:-3], OPEN, ErrorCode.HELLO_REQUIRED, "valid hello"),
        (b"", OPEN, ErrorCode.HELLO_REQUIRED, "valid hello"),
        ("hello", OPEN, ErrorCode.HELLO_REQUIRED, "valid hello"),
        (bytes(limits.MAX_MESSAGE_BYTES + 1), OPEN, ErrorCode.TOO_BIG, str(limits.MAX_MESSAGE_BYTES)),
    ],
)
def test_another_start_is_refused_with_its_code(data, config, code, named):
    with pytest.raises(HelloError, match=named) as refused:
        read_hello(data, config)
    assert refused.value.code is code
    assert "s\u00e9cret" not in str(refused.value)


def test_welcome_says_what_the_client_needs():
    config = ServeConfig(lead_seconds=0.5, max_characters=3, max_queued_prompts=5, max_pending_requests=2)
    answer = welcome(hello(frame_rate=60.0, encoding="int16"), "abc", config, info())
    assert (answer.version, answer.model, answer.session) == (limits.PROTOCOL_VERSION, "tiny", "abc")
    assert (answer.frame_rate, answer.encoding, answer.model_frame_rate, answer.lead) == (60.0, "int16", 20.0, 0.5)
    assert (answer.limits.characters, answer.limits.queued_prompts, answer.limits.pending_requests) == (3, 5, 2)
    assert tuple(joint.name for joint in answer.skeleton.joints) == default_skeleton().names
    assert encode(answer)


def test_welcome_promises_edit_only_when_the_model_can():
    assert "edit" in welcome(hello(), "abc", OPEN, info()).supports
    assert "edit" not in welcome(hello(), "abc", OPEN, info(edits=False)).supports


def test_a_model_with_a_long_name_fits_the_wire():
    assert len(welcome(hello(), "abc", OPEN, info(name="x" * 200)).model) == limits.MAX_NAME_CHARACTERS
