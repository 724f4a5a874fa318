"""The files in deploy/ fit the server: every metric of the dashboard exists, every command line and setting is one it takes."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from server import cli, serve_options
from server.config import Quota, ServeConfig
from server.metrics import Metrics, Snapshot
from server.settings import ENV_PREFIX, load_settings

DEPLOY = Path(__file__).parents[2] / "deploy"


@pytest.fixture(scope="module")
def dashboard() -> dict:
    return json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))


def exposed() -> dict[str, set[str]]:
    """Name -> labels of every sample that a server exposes once it has worked."""
    seen = Metrics(lambda: Snapshot(1, 1, 1, 1, {"allocated": 1}, {"running": 1}), model="tiny", version="1")
    with seen.batch(1):
        seen.stage("text", 0.1)
    seen.prompt_status("accepted")
    seen.refused("busy")
    return {sample.name: set(sample.labels) for family in seen.registry.collect() for sample in family.samples}


def expressions(dashboard: dict) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


def test_every_metric_of_the_dashboard_exists(dashboard):
    names = set(exposed())
    variables = [entry["query"]["query"] for entry in dashboard["templating"]["list"] if entry["type"] == "query"]
    used = {name for text in (*expressions(dashboard), *variables) for name in re.findall(r"\b[a-z]+_[a-z_]+", text)}
    functions = {"histogram_quantile", "label_values"}
    assert used - functions <= names
    assert len(used & names) > 10


def test_every_metric_of_ours_is_on_the_dashboard(dashboard):
    shown = " ".join(expressions(dashboard))
    ours = {name for name in exposed() if name.startswith("motionbridge_") and not name.endswith("_created")}
    stems = {re.sub(r"_(bucket|sum|count|total|info)$", "", name) for name in ours}
    assert [stem for stem in sorted(stems) if stem not in shown] == []


def test_every_label_of_the_dashboard_is_one_of_its_metric(dashboard):
    labels = exposed()
    for text in expressions(dashboard):
        given = set().union(*(labels.get(name, set()) for name in re.findall(r"\b[a-z]+_[a-z_]+", text)), {"instance"})
        for group in re.findall(r"by \(([a-z, ]+)\)", text):
            assert set(group.split(", ")) <= given, text


def test_panels_do_not_overlap(dashboard):
    cells = [
        (x, y)
        for grid in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def command_lines() -> Iterator[tuple[str, list[str]]]:
    text = (DEPLOY / "motionbridge.service").read_text(encoding="utf-8").replace("\\\n", " ")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read_string(text)
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/motionbridge")
    yield "service", words
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    yield "compose", compose["services"]["motionbridge"]["command"]
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    yield "docker", json.loads(re.search(r"^CMD (.*)$", dockerfile, re.MULTILINE)[1])


@pytest.mark.parametrize(("name", "words"), list(command_lines()))
def test_command_lines_are_ones_that_the_server_takes(name, words):
    args = cli.build_parser().parse_args(words)
    assert args.action is cli.serve
    assert set(serve_options.given(args)) <= set(ServeConfig.model_fields)


def test_the_settings_are_ones_that_the_server_takes(tmp_path):
    tokens = (DEPLOY / "tokens.toml").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokens\.studio\.secret: Value should have at least 1 item"):
        load_settings({}, DEPLOY / "motionbridge.toml", DEPLOY / "tokens.toml")
    filled = tmp_path / "tokens.toml"
    filled.write_text(tokens.replace('secret = ""', 'secret = "first"', 1).replace('secret = ""', 'secret = "second"'))
    settings = load_settings({}, DEPLOY / "motionbridge.toml", filled)
    assert set(settings.secrets) == {"studio", "demo"}
    assert settings.quota_of("demo").connections == 4
    assert settings.quota_of("demo").message_bytes == settings.quota.message_bytes == 65536


def test_the_examples_show_every_limit():
    config = tomllib.loads((DEPLOY / "motionbridge.toml").read_text(encoding="utf-8"))
    assert set(config["quota"]) == set(Quota.model_fields)


def test_compose_sets_only_settings():
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))["services"]["motionbridge"]
    names = [name.removeprefix(ENV_PREFIX).lower() for name in service["environment"]]
    assert set(names) <= set(ServeConfig.model_fields)
    added = yaml.safe_load((DEPLOY / "compose.gpu.yaml").read_text(encoding="utf-8"))
    assert set(added["services"]) == {"motionbridge"}


def test_the_guide_names_only_what_exists():
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    variables = {name.lower() for name in re.findall(rf"{ENV_PREFIX}([A-Z]+(?:_[A-Z]+)*)", text)} - {"name"}
    assert variables <= set(ServeConfig.model_fields)
    metrics = {re.sub(r"_(bucket|sum|count)$", "", name) for name in exposed() if not name.endswith("_created")}
    written = set(re.findall(r"`(motionbridge_[a-z_]+)", text))
    assert {name for name in written if name != "motionbridge_info"} <= metrics
    assert {name for name in metrics if name.startswith("motionbridge_")} - {"motionbridge_info"} <= written
    limits = re.findall(r"^\| `([a-z_]+)` \| .* \| `[a-z_]+`", text, re.MULTILINE)
    assert set(limits) == set(Quota.model_fields)


@pytest.mark.parametrize("path", ["README.md", "../SECURITY.md"])
def test_every_option_in_the_texts_exists(path, capsys):
    text = (DEPLOY / path).read_text(encoding="utf-8")
    known = ""
    for command in ("serve", "play"):
        with pytest.raises(SystemExit):
            cli.build_parser().parse_args([command, "--help"])
        known += capsys.readouterr().out
    options = set(re.findall(r"(?<=`)--[a-z-]+", text))
    assert len(options) > 3
    assert [option for option in sorted(options) if option not in known] == []
