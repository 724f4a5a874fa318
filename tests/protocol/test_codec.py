import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import codec, limits
from protocol.errors import (
    FATAL,
    CloseCode,
    ErrorCode,
    InvalidFieldError,
    MessageTooBigError,
    MissingTypeError,
    NotAMapError,
    NotBinaryError,
    NotMsgpackError,
    ProtocolError,
    TooComplexError,
    TrailingBytesError,
    UnknownTypeError,
    shown,
)
from protocol.extensions import without_timestamps
from protocol.messages import CLIENT_MODELS, SERVER_MODELS, Error, Frames, Playhead, Prompt, SkeletonTable
from protocol.poses import PoseBlocks, PoseError, Poses, pack_poses
from protocol.skeleton import default_skeleton
from protocol.vectors.cases import client_messages, example_poses, server_messages, valid_cases
from protocol.vectors.encodings import Style, write
from protocol.vectors.malformed import malformed_cases

PROMPT = {"type": "prompt", "id": "p1", "text": "a person walks"}
VALID = [case.data for case in valid_cases()]
FRAMES_FIELDS = msgpack.unpackb(codec.encode(server_messages()["frames_full"]), use_list=False)


def prompt(**fields):
    return msgpack.packb({**PROMPT, **fields})


def text_sent(data):
    return msgpack.unpackb(data)["text"]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xc1", NotMsgpackError),
        (b"", NotMsgpackError),
        (b"\x81\xa4type", NotMsgpackError),
        (prompt() + b"\x00", TrailingBytesError),
        (b"\x93\x01\x02\x03", NotAMapError),
        (b"\x80", MissingTypeError),
        ("a text message", NotBinaryError),
        (msgpack.packb({"type": "prompt", "x": [[[[[[[[1]]]]]]]]}), TooComplexError),
        (b"\x00" * (limits.MAX_MESSAGE_BYTES + 1), MessageTooBigError),
        (msgpack.packb({"type": "fly"}), UnknownTypeError),
        (prompt(text=""), InvalidFieldError),
    ],
)
def test_each_kind_of_fault_has_its_own_error(data, error):
    with pytest.raises(ProtocolError) as caught:
        codec.decode_client(data)
    assert type(caught.value) is error


EXTENSIONS = [
    b"\xd4\xfe\x00",
    b"\xd4\xff\x00",
    b"\xd7" + b"\xff" * 9,
    b"\xc7\x00\xff",
    b"\xc8\x00\x0d\xff" + bytes(13),
    b"\xc9\x00\x00\x00\x01\xff\x00",
    b"\xd6\xff\x00\x00\x00\x01",
]


@pytest.mark.parametrize("extension", EXTENSIONS, ids=bytes.hex)
def test_an_extension_is_ignored_under_an_unknown_key_and_never_a_value_of_a_known_one(extension):
    head = b"\x85\xa4type\xa6prompt\xa2id\xa2p1\xa4text\xa4walk"
    binary_like_it = b"\xa1b" + b"\xc4" + bytes([len(extension)]) + extension
    assert codec.decode_client(head + b"\xa1x" + extension + binary_like_it).text == "walk"
    fields = codec.unpack(head + b"\xa1x" + extension + binary_like_it)
    assert fields["b"] == extension
    for key in ("seconds", "mode", "seed"):
        with pytest.raises(InvalidFieldError, match=f"prompt.{key}"):
            codec.decode_client(head + msgpack.packb(key) + extension + binary_like_it)
    for cut in range(1, len(extension) + 1):
        with pytest.raises(NotMsgpackError):
            codec.unpack(b"\x82\xa4type\xa1p\xa1x" + extension[:-cut])


def test_extensions_are_found_in_every_msgpack_encoding_of_what_surrounds_them():
    stamp = b"\xd4\xff\x00"
    before = [None, True, -1, 7, 300, 2**40, -(2**40), 1.5, "s", "s" * 300, b"b" * 300, [1] * 20, {"k": 1}, {}]
    values = [write(value, style) for value in before for style in (Style(), Style(float_bits=32, signed=True))]
    values += [msgpack.packb(value) for value in (*before, msgpack.ExtType(4, b"12345"), "s" * 70_000, [0] * 20_000)]
    for value in values:
        plain = stamp.replace(b"\xff", b"\x00")
        assert without_timestamps(b"\x93" + stamp + value + stamp) == b"\x93" + plain + value + plain
        assert without_timestamps(b"\x92" + value + value) is None


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"text": "walk " * 400}, ["prompt.text", "at most 500 characters", "(2000 characters)"]),
        ({"text": ""}, ["prompt.text", "at least 1 character", "''"]),
        ({"seconds": 12.5}, ["prompt.seconds", "9.8", "12.5"]),
        ({"seconds": 0.1}, ["prompt.seconds", "0.5", "0.1"]),
        ({"seed": -4}, ["prompt.seed", "0", "-4"]),
        ({"mode": "later"}, ["prompt.mode", "'replace' or 'queue'", "'later'"]),
        ({"id": None}, ["prompt.id", "required"]),
    ],
)
def test_an_invalid_field_is_named_with_value_and_limit(fields, parts):
    with pytest.raises(InvalidFieldError) as caught:
        codec.decode_client(prompt(**fields))
    for part in parts:
        assert part in str(caught.value)


def test_further_problems_are_counted():
    with pytest.raises(InvalidFieldError, match=r"and 2 more problems"):
        codec.decode_client(prompt(seconds=0.1, seed=-1, mode="x"))


def test_an_error_names_both_size_and_limit_when_too_big():
    with pytest.raises(MessageTooBigError, match=f"{len(prompt())} bytes, the limit is 8"):
        codec.decode_client(prompt(), max_bytes=8)


def test_error_message_echoes_id_and_field():
    with pytest.raises(ProtocolError) as caught:
        codec.decode_client(prompt(text="x" * 501))
    answer = codec.error_message(caught.value)
    assert (answer.code, answer.id, answer.field) == ("invalid_field", "p1", "text")
    assert "500" in answer.message
    assert codec.decode_server(codec.encode(answer)) == answer


def test_error_message_of_a_hostile_key_stays_within_its_own_limits():
    with pytest.raises(ProtocolError) as caught:
        codec.decode_client(msgpack.packb({"type": "x" * 100_000}))
    assert len(codec.encode(codec.error_message(caught.value))) < 300


def test_text_is_stripped_and_counted_in_characters_not_bytes():
    assert codec.decode_client(prompt(text="  walk\n")).text == "walk"
    assert codec.decode_client(prompt(text=" " * 5000 + "手" * 500)).text == "手" * 500


def test_nil_means_absent_everywhere():
    message = codec.decode_client(prompt(seconds=None, mode=None, character=None))
    assert message == Prompt(id="p1", text="a person walks")


def test_unknown_keys_are_ignored_and_not_sent_on():
    message = codec.decode_client(prompt(future={"a": 1}))
    assert b"future" not in codec.encode(message)


def test_a_client_message_from_a_server_is_unknown():
    with pytest.raises(UnknownTypeError) as caught:
        codec.decode_server(prompt())
    assert (caught.value.type_name, caught.value.request_id) == ("prompt", "p1")


@pytest.mark.parametrize("name", [*client_messages(), *server_messages()])
def test_round_trip(name):
    message = {**client_messages(), **server_messages()}[name]
    decode = codec.decode_client if message.type in CLIENT_MODELS else codec.decode_server
    assert decode(codec.encode(message)) == message


def test_type_comes_first_and_blocks_last():
    keys = list(msgpack.unpackb(codec.encode(server_messages()["frames_full"])))
    assert keys[0] == "type"
    assert keys[-3:] == ["root", "rotations", "contacts"]


def test_build_names_the_bad_value():
    assert codec.build(Playhead, frame=3).frame == 3
    with pytest.raises(InvalidFieldError, match=r"prompt.text: .*at most 500"):
        codec.build(Prompt, id="p", text="x" * 501)


def test_skeleton_survives_the_wire():
    ours = default_skeleton()
    theirs = SkeletonTable.of(ours).skeleton()
    assert (theirs.names, theirs.parents, theirs.feet) == (ours.names, ours.parents, ours.feet)
    np.testing.assert_array_equal(theirs.offsets, ours.offsets)
    assert len(ours) == limits.JOINT_COUNT


def test_close_codes_and_fatal_errors_match():
    assert set(FATAL.values()) | {CloseCode.INTERNAL} == set(CloseCode)
    assert all(4000 <= code < 5000 for code in CloseCode)
    assert ErrorCode.INVALID_FIELD not in FATAL


def test_shown_cuts_and_tells_the_length():
    assert shown("abc") == "'abc'"
    assert shown("x" * 999).endswith("… (999 characters)")
    assert len(shown(tuple(range(5000)))) < 90


@pytest.mark.parametrize("encoding", ["float32", "int16"])
@pytest.mark.parametrize("label", [None, "p1"])
def test_frame_packer_equals_the_model(encoding, label):
    poses = example_poses(3, seed=2)
    root, rotations, contacts = pack_poses(poses, encoding)
    blocks = {"encoding": encoding, "root": root, "rotations": rotations, "contacts": contacts}
    model = Frames(character="hero", first=9, frame_rate=30.0, prompt=label, count=3, **blocks)
    assert codec.FramePacker(30, encoding).pack("hero", 9, label, poses) == codec.encode(model)


@pytest.mark.parametrize("encoding", ["float32", "int16"])
def test_a_run_of_encoded_frames_is_the_run_encoded(encoding):
    poses = example_poses(9, seed=2)
    packer = codec.FramePacker(30.0, encoding)
    for first, end in ((0, 9), (0, 1), (3, 7), (8, 9)):
        run = PoseBlocks.of(poses, encoding).run(first, end)
        assert run == PoseBlocks.of(poses[first:end], encoding)
        assert packer.pack_blocks("a", first, "p", run) == packer.pack("a", first, "p", poses[first:end])
        np.testing.assert_allclose(run.poses().rotations, poses.rotations[first:end], atol=2e-5)


def test_frame_packer_refuses_wrong_shapes_and_no_frames():
    packer, poses = codec.FramePacker(30.0, "float32"), example_poses(2)
    with pytest.raises(PoseError, match="21"):
        packer.pack("a", 0, None, Poses(poses.root, poses.rotations[:, :21], poses.contacts))
    with pytest.raises(PoseError, match="1 to 1176 frames"):
        packer.pack("a", 0, None, poses[:0])


def test_read_frames_equals_the_model():
    block = codec.read_frames(FRAMES_FIELDS)
    model = codec.validate_server(FRAMES_FIELDS)
    assert (block.character, block.first, block.frame_rate, block.prompt) == ("hero", 70_000, 59.94, "p1")
    np.testing.assert_array_equal(block.poses.rotations, model.poses().rotations)
    np.testing.assert_array_equal(block.poses.root, model.poses().root)


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8)
values = st.recursive(
    scalars | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FRAMES_FIELDS)), values | st.sampled_from(["", "x" * 65, "int16", 1, 3, 30, True, 2**53]))
def test_fast_and_model_reading_accept_the_same_frames(key, value):
    fields = {**FRAMES_FIELDS, key: value, "type": "frames"}
    expected, read = outcome(codec.validate_server, fields), outcome(codec.read_frames, fields)
    if isinstance(expected, ProtocolError):
        assert (type(read), str(read)) == (type(expected), str(expected))
    else:
        assert (read.character, read.first, read.prompt) == (expected.character, expected.first, expected.prompt)


@pytest.mark.parametrize("case", [c for c in malformed_cases() if c.name.startswith("frames_")], ids=lambda c: c.name)
def test_fast_reading_refuses_what_the_vectors_refuse(case):
    with pytest.raises(InvalidFieldError) as caught:
        codec.read_frames(codec.unpack(case.data))
    assert caught.value.field == case.field


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except ProtocolError as error:
        return error


def only_protocol_errors(data):
    for decode in (codec.decode_client, codec.decode_server):
        result = outcome(decode, data)
        if isinstance(result, ProtocolError):
            assert codec.decode_server(codec.encode(codec.error_message(result))).code == result.code.value
        else:
            assert decode(codec.encode(result)) == result


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(data):
    only_protocol_errors(data)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted({*CLIENT_MODELS, *SERVER_MODELS})), st.dictionaries(st.text(max_size=6), values, max_size=4)
)
def test_random_maps_never_raise_anything_else(kind, fields):
    only_protocol_errors(msgpack.packb({**fields, "type": kind}))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VALID), st.data())
def test_mutated_messages_never_raise_anything_else(message, data):
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed)))
        cut = data.draw(st.integers(0, 3))
        changed[place : place + cut] = data.draw(st.binary(max_size=3))
    only_protocol_errors(bytes(changed))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([*client_messages().values(), *server_messages().values()]), st.data())
def test_one_random_value_in_a_valid_message_never_raises_anything_else(message, data):
    fields = message.model_dump(exclude_none=True)
    fields[data.draw(st.sampled_from(sorted(fields)))] = data.draw(values)
    only_protocol_errors(msgpack.packb(fields))


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=500).filter(lambda text: text.strip())


@settings(max_examples=100, deadline=None)
@given(
    texts,
    st.floats(0.5, 9.8) | st.none(),
    st.integers(0, limits.MAX_SEED) | st.none(),
    st.sampled_from(["replace", "queue"]),
)
def test_random_prompts_round_trip(text, seconds, seed, mode):
    try:
        message = Prompt(id="p", text=text, seconds=seconds, seed=seed, mode=mode)
    except ValueError:
        return  # white space of the codec's own definition only
    assert codec.decode_client(codec.encode(message)) == message


def test_an_error_of_a_later_version_can_be_read():
    assert codec.decode_server(codec.encode(Error(code="later", message="?"))).code == "later"
