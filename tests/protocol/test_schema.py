import json

from protocol.messages import CLIENT_MODELS, SERVER_MODELS
from protocol.schema import SCHEMA_PATH, schema, schema_text


def test_schema_file_is_up_to_date():
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(), "run `python -m protocol.schema`"


def test_schema_has_every_message_and_requires_its_type():
    definitions = schema()["$defs"]
    for kind, model in {**CLIENT_MODELS, **SERVER_MODELS}.items():
        definition = definitions[model.__name__]
        assert definition["properties"]["type"]["const"] == kind
        assert "type" in definition["required"]


def test_schema_says_what_the_limits_are():
    text = json.loads(SCHEMA_PATH.read_text(encoding="utf-8"))
    assert text["$defs"]["Prompt"]["properties"]["text"]["maxLength"] == 500
    assert text["x-limits"]["max_message_bytes"] == 1_048_576
    assert text["x-close-codes"]["version_mismatch"] == 4002
