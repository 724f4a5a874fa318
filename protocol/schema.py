"""``python -m protocol.schema`` writes schema.json, the JSON Schema of all messages, from the models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from protocol import limits
from protocol.errors import CloseCode, ErrorCode
from protocol.messages import CLIENT_MODELS, SERVER_MODELS, ClientMessage, ServerMessage

SCHEMA_PATH = Path(__file__).with_name("schema.json")


def schema() -> dict[str, Any]:
    """The JSON Schema; `x-` keys hold what JSON Schema has no word for. Binary fields have format `binary`."""
    inputs = [
        ("client", "validation", TypeAdapter(ClientMessage)),
        ("server", "validation", TypeAdapter(ServerMessage)),
    ]
    refs, definitions = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    for model in (*CLIENT_MODELS.values(), *SERVER_MODELS.values()):
        definitions["$defs"][model.__name__].setdefault("required", []).insert(0, "type")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{limits.SUBPROTOCOL} messages",
        "oneOf": [{"$ref": "#/$defs/ClientMessage"}, {"$ref": "#/$defs/ServerMessage"}],
        "$defs": {
            "ClientMessage": refs["client", "validation"],
            "ServerMessage": refs["server", "validation"],
            **definitions["$defs"],
        },
        "x-error-codes": [code.value for code in ErrorCode],
        "x-close-codes": {code.name.lower(): code.value for code in CloseCode},
        "x-limits": {name.lower(): value for name, value in vars(limits).items() if name.isupper()},
    }


def schema_text() -> str:
    """The contents of schema.json."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
