"""The game clients' own tables of numbers and codes are those of the protocol; read from their sources, without a compiler."""

import re
from pathlib import Path

from protocol import limits
from protocol.errors import CloseCode, ErrorCode

ROOT = Path(__file__).parents[2]
UNITY = ROOT / "unity_client/Runtime/Core"
WEBGL = ROOT / "unity_client/Runtime/Plugins/WebGL/MotionBridgeWebSocket.jslib"
UNREAL = ROOT / "unreal_client/Source/MotionBridgeCore/Private"
STANDARD = {"Normal": 1000, "GoingAway": 1001, "Abnormal": 1006, "MessageTooBig": 1009}


def pascal(name):
    return "".join(part.capitalize() for part in name.split("_"))


def constants(path, holder):
    """Names and values of the constants of a C# class."""
    body = path.read_text(encoding="utf-8").split(f"class {holder}\n", 1)[1].split("\n    }\n", 1)[0]
    return {name: value.strip('"') for name, value in re.findall(r"const \w+ (\w+) = ([^;]+);", body)}


def test_numbers_of_the_unity_client_are_those_of_the_protocol():
    found = constants(UNITY / "Protocol/Limits.cs", "Limits")
    for name, value in vars(limits).items():
        ours = found.pop(pascal(name), None)
        if ours is not None:
            assert (ours if isinstance(value, str) else float(ours)) == value, name
    assert sorted(found) == ["Float32Slack", "SecondsSlack"]


def test_codes_of_the_unity_client_are_those_of_the_protocol():
    codes = {pascal(code.name): str(code.value) for code in CloseCode if code is not CloseCode.INTERNAL}
    codes |= {name: str(code) for name, code in STANDARD.items()}
    path = UNITY / "Protocol/ProtocolException.cs"
    assert constants(path, "CloseCodes") == codes
    errors = constants(path, "ErrorCodes")
    assert errors.items() <= {pascal(code.name): code.value for code in ErrorCode}.items()
    assert len(errors) > 4
    advice = re.findall(r"\{ CloseCodes\.(\w+),", (UNITY / "Session/Advice.cs").read_text(encoding="utf-8"))
    assert sorted(advice) == sorted(codes.keys() - {"Normal", "Abnormal"})
    assert f"tooSlow: {CloseCode.TOO_SLOW.value} " in WEBGL.read_text(encoding="utf-8")


def test_close_codes_of_the_unreal_client_are_those_of_the_protocol():
    text = (UNREAL / "Session.cpp").read_text(encoding="utf-8")
    assert f"constexpr int TooSlow = {CloseCode.TOO_SLOW.value};" in text
    final = re.findall(r"^\t\{(\w+), \"", text, re.MULTILINE)
    assert final[0] == "MessageTooBig"
    assert {int(code) for code in final[1:]} <= set(CloseCode)
    assert len(final) > 4
