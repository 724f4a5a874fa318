"""A short run of the fuzzers, that they themselves see what is wrong, and properties of any message and any session."""

import math
import random

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol import codec, limits
from protocol.errors import ProtocolError
from protocol.messages import CLIENT_MODELS, SERVER_MODELS, Control, Generate, Playhead, Prompt, Steer
from protocol.vectors.encodings import Style, write
from server.characters import Characters
from tests.benchmarks import fuzz, fuzz_targets
from tests.benchmarks.fuzz_inputs import Inputs, golden
from tests.benchmarks.fuzz_targets import SessionTarget, codec_target

SLOW = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text(min_size=1, max_size=limits.MAX_NAME_CHARACTERS)
TEXTS = st.text(min_size=1, max_size=40).filter(str.strip)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20)),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


def optional(strategy):
    return st.one_of(st.none(), strategy)


PROMPT = st.builds(
    Prompt,
    character=st.sampled_from("abc"),
    id=st.sampled_from("12345"),
    text=TEXTS,
    seconds=optional(st.floats(limits.MIN_SECONDS, limits.MAX_SECONDS)),
    seed=optional(st.integers(0, limits.MAX_SEED)),
    guidance=optional(st.floats(0.0, limits.MAX_GUIDANCE)),
    mode=st.sampled_from(("replace", "queue")),
    on_end=st.sampled_from(("idle", "repeat", "hold")),
)
STEER = st.builds(
    Steer,
    character=st.sampled_from("abc"),
    heading=optional(st.floats(-math.pi, math.pi)),
    speed=optional(st.floats(0.0, limits.MAX_SPEED)),
    waypoints=optional(st.lists(st.tuples(*[st.floats(-1e5, 1e5)] * 2), min_size=1, max_size=4).map(tuple)),
)
CONTROL = st.builds(
    Control,
    character=st.sampled_from("abc"),
    action=st.sampled_from(("pause", "resume", "stop", "remove", "root_motion_on", "root_motion_off")),
)
PLAYHEAD = st.builds(
    Playhead,
    character=st.sampled_from("abc"),
    frame=st.one_of(st.integers(0, 400), st.integers(0, limits.MAX_FRAME_INDEX)),
)
GENERATE = st.builds(Generate, id=st.sampled_from("67"), text=TEXTS, frame_rate=optional(st.floats(10.0, 120.0)))
MESSAGES = st.one_of(PROMPT, STEER, CONTROL, PLAYHEAD, GENERATE)


# Messages


@SLOW
@given(MESSAGES, st.sampled_from([Style(), Style(16, 16, 16, 16, 64, signed=True)]))
def test_a_message_is_itself_again_in_any_encoding(message, style):
    written = codec.encode(message)
    assert codec.decode_client(written) == message
    assert codec.decode_client(write(msgpack.unpackb(written), style)) == message


@SLOW
@given(MESSAGES, st.dictionaries(NAMES, VALUES, max_size=4))
def test_keys_that_no_one_knows_change_nothing(message, unknown):
    fields = msgpack.unpackb(codec.encode(message))
    known = set(type(message).model_fields)
    extended = {**{key: value for key, value in unknown.items() if key not in known}, **fields}
    assert codec.decode_client(msgpack.packb(extended)) == message


@SLOW
@given(st.sampled_from(sorted(CLIENT_MODELS | SERVER_MODELS)), st.dictionaries(NAMES, VALUES, max_size=6), st.data())
def test_any_map_is_a_message_or_a_protocol_error_that_names_a_field(kind, fields, data):
    model = (CLIENT_MODELS | SERVER_MODELS)[kind]
    for name in data.draw(st.lists(st.sampled_from(sorted(model.model_fields)), max_size=4)):
        fields[name] = data.draw(VALUES)
    decode = codec.decode_client if kind in CLIENT_MODELS else codec.decode_server
    refused = None
    try:
        message = decode(msgpack.packb({**fields, "type": kind}))
    except ProtocolError as error:
        refused = error
    if refused is not None:
        answer = codec.error_message(refused)
        assert codec.decode_server(codec.encode(answer)) == answer
        assert (refused.field or "").split(".")[0].split("[")[0] in {"", *model.model_fields}
        return
    assert type(message) is model
    assert decode(codec.encode(message)) == message


@SLOW
@given(st.binary(max_size=300))
def test_no_bytes_are_too_bad(data):
    codec_target(data)
    codec_target(b"\x82\xa4type\xa6prompt\xa1x" + data)


# Sessions


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.one_of(MESSAGES.map(codec.encode), st.binary(max_size=30)), max_size=60), st.integers(0, 2**32))
def test_no_order_of_messages_disturbs_the_client_beside_it(messages, seed):
    target = SessionTarget(seed)
    for data in messages:
        target.feed(data)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(MESSAGES, st.floats(0.0, 0.3)), max_size=40))
def test_frames_of_a_character_never_skip_an_index_while_its_client_keeps_up(script):
    """Each message of frames begins at most one past the highest index sent; every prompt ends once at most."""
    target = SessionTarget(1)
    session, now = target.bad, 1000.0
    highest: dict[str, int] = {}
    ended: list[tuple[str, str]] = []
    accepted: list[str] = []
    for message, passed in script:
        if isinstance(message, Playhead):
            message = Playhead(character=message.character, frame=max(0, highest.get(message.character, 0) - 7))
        session.receive(codec.encode(message), now)
        for _ in range(4):
            now += passed / 4
            for data in target._turn(session, now):
                answer = codec.decode_server(data)
                if answer.type == "frames":
                    assert answer.first <= highest.get(answer.character, -1) + 1
                    highest[answer.character] = max(highest.get(answer.character, -1), answer.first + answer.count - 1)
                if answer.type == "prompt_status":
                    if answer.status == "accepted":
                        accepted.append(answer.id)
                    if answer.status in ("finished", "cancelled", "failed"):
                        ended.append((answer.character, answer.id))
        if isinstance(message, Control) and message.action == "remove":
            highest.pop(message.character, None)
    assert len(ended) <= len(accepted)


# The fuzzers


def test_a_short_run_finds_nothing():
    table = fuzz.run(codec=20_000, session=2_000, seed=3)
    assert "| together | 22,000 | 0 |" in table


def test_the_same_seed_gives_the_same_inputs():
    first, second = (Inputs(random.Random(5), golden()) for _ in range(2))
    assert [first.draw() for _ in range(500)] == [second.draw() for _ in range(500)]


def test_the_inputs_reach_both_sides_of_every_decision():
    inputs = Inputs(random.Random(6), golden())
    taken = [codec_target(inputs.draw()) for _ in range(2000)]
    assert 50 < sum(taken) < 1950


@pytest.mark.parametrize(
    ("broken", "replacement"),
    [
        ("play", lambda self, message, now, others: 1 / 0),
        ("playhead", lambda self, message, now: self._replies.outbox.put(b"\xc1") and None),
        ("steer", lambda self, message, now: self._replies.outbox.put(msgpack.packb({"type": "error"})) and None),
    ],
    ids=["internal error", "not msgpack", "not a message"],
)
def test_a_broken_session_is_found(monkeypatch, broken, replacement):
    target = SessionTarget(2)
    monkeypatch.setattr(Characters, broken, replacement)
    with pytest.raises(fuzz.FailureError, match="session, input"):
        run_session(target)


def test_a_leak_is_found(monkeypatch):
    target = SessionTarget(2)
    secret = target.secrets[2].decode()
    told = {"code": "busy", "message": f"{secret} plays"}
    leak = msgpack.packb({"type": "error", **told})
    monkeypatch.setattr(Characters, "playhead", lambda self, message, now: self._replies.outbox.put(leak) and None)
    with pytest.raises(fuzz.FailureError, match="session, input"):
        run_session(target)


def test_a_broken_codec_is_found(monkeypatch):
    monkeypatch.setattr(fuzz_targets.codec, "validate_client", lambda fields: fields["no such key"])
    with pytest.raises(fuzz.FailureError, match=r"codec, input \d+: KeyError"):
        fuzz.fuzz_codec(100, 1)


def run_session(target):
    rng = random.Random(1)
    script, tally = fuzz_targets.Script(Inputs(rng, golden("client")), rng), fuzz.Tally("session")
    for _ in range(3000):
        tally.timed(target.feed, script.draw())
