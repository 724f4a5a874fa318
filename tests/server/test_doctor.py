"""``motionbridge doctor`` on this machine, and on machines that are broken in one place each."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_bundle import write_tiny_bundle

from server import cli, doctor
from server.cache import VARIABLE
from server.hub.store import INSTALLED, Store


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def the(findings) -> doctor.Finding:
    (finding,) = findings
    return finding


def run(model: Path, *argv: object) -> int:
    return cli.main(["doctor", "--model", str(model), "--device", "cpu", "--port", "0", *map(str, argv)])


def test_a_machine_that_works(model: Path, cache: Path, capsys):
    assert run(model) == 0
    out = capsys.readouterr().out
    assert "everything that is needed works" in out
    for part in (f"ok    python        {sys.version.split()[0]}", "ok    torch", "ok    model         tiny: loaded in"):
        assert part in out
    assert not cache.exists()


def test_as_json(model: Path, capsys):
    assert run(model, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert {"check", "status", "detail", "remedy"} == set(report["findings"][0])
    assert {"python", "torch", "gpu", "port", "cache", "models", "model"} <= {f["check"] for f in report["findings"]}


def test_a_broken_model_is_status_1_and_told(tmp_path: Path, model: Path, capsys):
    broken = write_tiny_bundle(tmp_path / "broken")
    (broken / "masked.safetensors").write_bytes(b"no weights")
    assert run(broken, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    (fault,) = [finding for finding in report["findings"] if finding["status"] == "fail"]
    assert fault["check"] == "model"
    assert "masked.safetensors cannot be read" in fault["detail"]
    assert fault["remedy"]


def test_an_old_python_is_told():
    finding = the(doctor.python((3, 9, 1)))
    assert finding.status == "fail"
    assert "3.9.1" in finding.detail
    assert "Python 3.11 or newer" in finding.remedy


def test_a_package_that_cannot_be_imported_is_told():
    def load(name: str):
        if name == "scipy":
            raise ImportError("libopenblas.so is missing")
        return SimpleNamespace(__version__="2.5.1+cpu", get_num_threads=lambda: 1)

    findings = list(doctor.packages(load))
    scipy = next(finding for finding in findings if "scipy" in finding.detail)
    assert scipy.status == "fail"
    assert "libopenblas.so is missing" in scipy.detail
    torch = next(finding for finding in findings if finding.check == "torch")
    assert torch.status == "fail"
    assert "torch 2.6 or newer" in torch.remedy


def test_every_dependency_is_looked_at_and_every_extra_exists():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.match(r"[\w-]+", line)[0].replace("-", "_") for line in project["dependencies"]}
    looked_at = {doctor.DISTRIBUTIONS.get(name, name) for name in (*doctor.NEEDED, *doctor.OPTIONAL)}
    assert wanted <= looked_at
    extras = set(re.findall(r"motionbridge\[(\w+)\]", " ".join(doctor.OPTIONAL.values())))
    assert extras == set(project["optional-dependencies"]) - {"dev"}


def fake_torch(*, available: bool, cuda: str | None, fails: str = "") -> SimpleNamespace:
    def ones(*args, **kwargs):
        if fails:
            raise RuntimeError(fails)
        return SimpleNamespace(sum=lambda: SimpleNamespace(item=lambda: 8))

    return SimpleNamespace(
        cuda=SimpleNamespace(
            is_available=lambda: available,
            get_device_name=lambda index: "NVIDIA Test",
            get_device_properties=lambda index: SimpleNamespace(total_memory=24 << 30),
        ),
        version=SimpleNamespace(cuda=cuda),
        backends=SimpleNamespace(mps=None),
        ones=ones,
    )


@pytest.mark.parametrize(
    ("torch", "driver", "status", "said"),
    [
        (fake_torch(available=True, cuda="12.8"), "12.8", "ok", "NVIDIA Test, 24 GiB, CUDA 12.8"),
        (fake_torch(available=True, cuda="12.8", fails="no kernel image"), "12.8", "fail", "no kernel image"),
        (fake_torch(available=False, cuda=None), None, "note", "none (no NVIDIA driver found)"),
        (fake_torch(available=False, cuda=None), "12.4", "note", "built without CUDA"),
        (
            fake_torch(available=False, cuda="13.0"),
            "12.4",
            "note",
            "the driver knows CUDA 12.4, torch is built for 13.0",
        ),
        (fake_torch(available=False, cuda="9.2"), "12.10", "note", "but torch sees no GPU"),
    ],
)
def test_gpus(torch, driver, status, said):
    finding = the(doctor.gpu("auto", torch, lambda: driver))
    assert finding.status == status
    assert said in finding.detail
    assert bool(finding.remedy) == (status != "ok" and driver is not None)


def test_a_gpu_that_was_asked_for_must_be_there():
    assert the(doctor.gpu("cuda", fake_torch(available=False, cuda=None), lambda: None)).status == "fail"


def test_the_driver_s_cuda_is_read_from_nvidia_smi(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "nvidia-smi")
    said = "| NVIDIA-SMI 550.54   Driver Version: 550.54   CUDA Version: 12.4 |"
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=said))
    assert doctor._nvidia_smi() == "12.4"
    monkeypatch.setattr(doctor.subprocess, "run", lambda *a, **k: SimpleNamespace(stdout="driver not loaded"))
    assert doctor._nvidia_smi() is None

    def hang(*args, **kwargs):
        raise subprocess.TimeoutExpired("nvidia-smi", 10)

    monkeypatch.setattr(doctor.subprocess, "run", hang)
    assert doctor._nvidia_smi() is None


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        taken.settimeout(0.0)
        finding = the(doctor.port("127.0.0.1", taken.getsockname()[1]))
    assert finding.status == "fail"
    assert "--port" in finding.remedy


def test_a_server_that_runs_already_is_no_fault():
    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok\n")

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Healthy)
    thread = Thread(target=server.handle_request, daemon=True)
    thread.start()
    try:
        finding = the(doctor.port("127.0.0.1", server.server_address[1]))
    finally:
        server.server_close()
    assert finding.status == "note"
    assert "answers on 127.0.0.1" in finding.detail


def test_an_address_of_another_machine_is_told():
    assert the(doctor.port("203.0.113.1", 8765)).status == "fail"


def test_an_installed_model_that_lost_a_file_is_told(cache: Path):
    folder = cache / "models" / "kit"
    folder.mkdir(parents=True)
    (folder / INSTALLED).write_text(json.dumps({"files": {"rvq.safetensors": "0"}}))
    listed, lost, encoder = doctor.models(Store(cache))
    assert "embedded, kit" in listed.detail
    assert (lost.status, lost.detail.startswith("kit: rvq.safetensors missing")) == ("fail", True)
    assert "motionbridge models download kit" in lost.remedy
    assert encoder.status == "note"
    (folder / INSTALLED).write_text("{")
    assert [finding.status for finding in doctor.models(Store(cache))][1] == "fail"


def test_a_cache_without_room_or_rights_is_told(tmp_path: Path, monkeypatch):
    usage = doctor.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=5 << 20))
    assert "5 MiB free" in the(doctor.cache(tmp_path / "new" / "cache")).detail
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert "MOTIONBRIDGE_CACHE" in the(doctor.cache(tmp_path)).remedy
