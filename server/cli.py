"""The ``motionbridge`` command. Heavy imports wait until a command needs them."""

from __future__ import annotations

import argparse
import asyncio
import io
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from protocol import limits
from protocol.client_errors import ClientError
from server import commands, doctor, model_commands, serve_options
from server.cache import EMBEDDED
from server.export import formats
from server.precision import Precision
from server.preview.process import DEFAULT_PORT as PREVIEW_PORT

_ENDINGS = formats.listed(formats.ENDINGS)

_ABOUT = """\
Text-driven motion, streamed live into a running game.

  motionbridge serve                                    start the server, with a page to try it in the browser
  motionbridge play "a person waves"                    talk to it from another terminal
  motionbridge generate "a person bows" -o bow.bvh      write a motion file without a server
  motionbridge doctor                                   check this machine

motionbridge COMMAND --help has the options of a command, with examples."""

_PREVIEW = """\
examples:
  motionbridge preview
  motionbridge preview ws://192.168.1.4:8765 --token SECRET

Shows the page that "motionbridge serve" offers, for a server that runs elsewhere or without it. Only this machine can open it."""

_PLAY = """\
examples:
  motionbridge play "a person waves" "then walks forward"
  motionbridge play "a person runs" --seconds 8 --rate 60 --record run.bvh      or .glb, .mp4, .gif, .png, .npz
  motionbridge play "a person bows" --url wss://motion.example:8765 --ca my_ca.pem

The token is better given in the environment, as MOTIONBRIDGE_TOKEN: other users of the machine see command lines.

rate is what arrives and is shown, lead how much is buffered ahead, latency the time from sending a sentence to its
first frame. Exit status 1 means that the server refused a sentence."""

_GENERATE = """\
examples:
  motionbridge generate "a person bows" -o bow.bvh
  motionbridge generate "a person waves" -o wave.glb                           a mannequin, for any glTF viewer
  motionbridge generate "a person waves" --rig my_character.glb -o wave.glb    your own character
  motionbridge generate "a person jumps" -o jump.mp4                           a film; .gif and .png are pictures
  motionbridge generate "a person walks forward" --seconds 6 --seed 3 -o walk.npz
  motionbridge generate "a person kicks" --edit walk.npz --range 2.0:4.0 -o walk_kick.npz
  motionbridge generate --prompts sentences.txt -o clips/      one clips/000.npz, 001.npz, ... for each line

.bvh opens in Blender, Maya, MotionBuilder, Unreal and others (centimetres, Y up, facing +Z). .npz holds positions
(T, 22, 3) and root (T, 3) in metres, rotations (T, 22, 4) local xyzw, contacts (T, 4), fps and text. server/export/README.md
says what each file holds."""

_PREPARE = """\
examples:
  motionbridge prepare bvh my_mocap data                       SRC: clips.csv, captions.jsonl and BVH files
  motionbridge prepare bvh my_mocap data --joint-map my_rig.json
  motionbridge prepare humanml3d HumanML3D data                SRC: new_joint_vecs, texts, train.txt, ...

README.md explains joint maps and the source folder. DST/dropped.csv lists what was left out, and why."""

_TRAIN = """\
examples, in this order; each command resumes where it was stopped:
  motionbridge train rvq data run
  motionbridge train text my_mocap run          the folder with captions.jsonl; needs: pip install -e ".[train]"
  motionbridge train text my_mocap run --tower embedded      or take the embedded model's, at once
  motionbridge train text data run --from-scratch            or learn it from the captions of your data alone
  motionbridge train decoder data run
  motionbridge train masked data run
  motionbridge train residual data run
  motionbridge train length data run
  motionbridge export run data my_model
  motionbridge train evaluator data run         for motionbridge evaluate: judges motion by text, into run/evaluator/export"""

_EVALUATE = """\
examples:
  motionbridge evaluate my_model data --evaluator run/evaluator/export            the whole report, by the papers' protocol
  motionbridge evaluate my_model data --evaluator run/evaluator/export --repeats 2 --multimodality-texts 0 --parts figures
  motionbridge evaluate t2m_model humanml3d --evaluator checkpoints/t2m           the published evaluator, glove beside it
  motionbridge evaluate my_model data --evaluator run/evaluator/export --against before=my_old_model

It writes report.md, report.json and pictures. 'motionbridge train evaluator' makes an evaluator for any prepared data."""

_EXPORT = """\
example:
  motionbridge export run data my_model --name mine && motionbridge serve --model my_model"""


BENCHMARKS = {
    "acceptance": "wordings it never saw, judged by what the body does",
    "feet": "foot slide before and after locking",
    "fuzz": "bad messages to the codec and to sessions, and what none of them may do",
    "generate": "seconds a sentence by stage, beside the way of the original",
    "soak": "many characters for long, with drops and bad clients: errors, gaps and memory",
    "stream": "prompt latency, and what characters cost, from the client's side",
    "transitions": "prompt changes against the limits of real motion",
}
_BENCH = "\n".join(
    ["benchmarks, each with options of its own (motionbridge bench NAME --help):"]
    + [f"  {name:<14}{summary}" for name, summary in BENCHMARKS.items()]
    + ["", "They are part of the source code and need a clone of the repository."]
)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like those of every other bad input."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see: {self.prog} --help)\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets ``action`` to the function that carries it out."""
    parser = _Parser(prog="motionbridge", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands_of = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, summary: str, examples: str) -> argparse.ArgumentParser:
        layout: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
        return commands_of.add_parser(name, help=summary, description=summary, epilog=examples, **layout)

    _add_serve(add("serve", f"start the server on {limits.DEFAULT_URL}", serve_options.EXAMPLES))
    _add_preview(add("preview", "a page in the browser for a running server", _PREVIEW))
    _add_play(add("play", "a terminal client of a running server", _PLAY))
    _add_generate(add("generate", "write the motion of one sentence, or of a file of them", _GENERATE))
    _add_prepare(add("prepare", "make a dataset from motion files and captions", _PREPARE))
    _add_train(add("train", "train one of the models", _TRAIN))
    _add_export(add("export", "make a model folder from a training run", _EXPORT))
    _add_evaluate(add("evaluate", "measure a model by the metrics of the papers; writes a report", _EVALUATE))
    model_commands.add_models(
        add("models", "download, convert and check models", model_commands.EXAMPLES), parser_class=_Parser
    )
    _add_doctor(add("doctor", "check this machine, and say what to do", doctor.EXAMPLES))
    _add_bench(add("bench", "measure speed and motion quality; prints one table or a few", _BENCH))
    return parser


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=tuple(BENCHMARKS), metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("options", nargs=argparse.REMAINDER, metavar="...", help="options of the benchmark")
    parser.set_defaults(action=commands.bench)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        type=model_commands.resolve_model,
        default=EMBEDDED,
        metavar="MODEL",
        help="a name (motionbridge models list) or a model folder (default: embedded)",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="auto",
        help="half: float16 on a GPU, bfloat16 products on a CPU; auto: half on a GPU, fp32 on a CPU (default: auto)",
    )


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    doctor.add_doctor(parser)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    serve_options.add_to(parser)
    parser.add_argument("--no-preview", action="store_true", help="do not offer the page in the browser")
    _add_page_port(parser, "--preview-port")
    parser.set_defaults(action=serve)


def _add_page_port(parser: argparse.ArgumentParser, option: str) -> None:
    text = f"port of the page, on 127.0.0.1 only; 0 = any free one (default: {PREVIEW_PORT})"
    parser.add_argument(option, type=int, default=PREVIEW_PORT, metavar="PORT", help=text)


def _add_preview(parser: argparse.ArgumentParser) -> None:
    text = f"the server (default: {limits.DEFAULT_URL})"
    parser.add_argument("url", nargs="?", default=limits.DEFAULT_URL, metavar="URL", help=text)
    parser.add_argument("--token", default=None, help="the server's token, if it asks for one")
    _add_page_port(parser, "--port")
    parser.set_defaults(action=preview)


def _add_play(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("texts", nargs="+", metavar="TEXT", help="sentences, played one after the other")
    parser.add_argument("--url", default=limits.DEFAULT_URL, help=f"the server (default: {limits.DEFAULT_URL})")
    parser.add_argument(
        "--token",
        default=None,
        help=f"the server's token, if it asks for one (default: {serve_options.TOKEN_VARIABLE})",
    )
    parser.add_argument(
        "--ca", type=Path, default=None, metavar="FILE.pem", help="authority that signed the server's certificate"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="seconds to show each sentence (default: 4)")
    parser.add_argument(
        "--rate",
        type=int,
        default=int(limits.DEFAULT_FRAME_RATE),
        help=f"frames per second, {limits.MIN_FRAME_RATE:g} to {limits.MAX_FRAME_RATE:g} (default: 30)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the first sentence (default: 0)")
    parser.add_argument("--record", type=Path, default=None, metavar="FILE", help=f"write what was shown: {_ENDINGS}")
    parser.set_defaults(action=play)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("text", nargs="?", default=None, metavar="TEXT", help='such as "a person bows"')
    parser.add_argument("-o", "--output", type=Path, required=True, help=f"{_ENDINGS} file; a folder with --prompts")
    parser.add_argument(
        "--prompts", type=Path, default=None, metavar="FILE", help="one sentence a line, one .npz each; .glb with --rig"
    )
    parser.add_argument(
        "--rig",
        type=Path,
        default=None,
        metavar="CHARACTER.glb",
        help="put the motion onto this character; needs -o FILE.glb",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=None,
        help=f"{limits.MIN_SECONDS:g} to {limits.MAX_SECONDS:g} (default: the model's estimate)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same motion (default: 0)")
    parser.add_argument(
        "--guidance",
        type=float,
        default=None,
        help=f"how closely to follow the text, 0 to {limits.MAX_GUIDANCE:g} (default: the model's own)",
    )
    parser.add_argument(
        "--steps", type=int, default=None, help=f"unmasking steps, 1 to {limits.MAX_STEPS} (default: the model's own)"
    )
    parser.add_argument(
        "--edit", type=Path, default=None, metavar="SOURCE.npz", help="make a part of this motion anew, keep the rest"
    )
    parser.add_argument(
        "--range", action="append", default=None, metavar="START:END", help="seconds to make anew; repeatable"
    )
    _add_model(parser)
    parser.set_defaults(action=commands.generate)


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=("bvh", "humanml3d", "kit"), help="form of the source folder")
    parser.add_argument("source", type=Path, metavar="SRC", help="folder with the motion files and captions")
    parser.add_argument("target", type=Path, metavar="DST", help="dataset folder to write")
    parser.add_argument(
        "--joint-map", type=Path, default=None, metavar="FILE", help="JSON joint map for a skeleton without a preset"
    )
    parser.add_argument("--no-mirror", action="store_true", help="do not add left/right mirrored copies")
    parser.set_defaults(action=commands.prepare)


def _factor(text: str) -> tuple[str, float]:
    """GROUP=FACTOR as (group, factor)."""
    group, _, number = text.rpartition("=")
    try:
        factor = float(number)
    except ValueError:
        factor = math.nan
    if not group or not 0 <= factor < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not GROUP=FACTOR with a factor of at least 0, such as 'kick*=3'")
    return group, factor


def _add_train(parser: argparse.ArgumentParser) -> None:
    models = ("rvq", "decoder", "masked", "residual", "length", "text", "evaluator")
    parser.add_argument("model", choices=models, help="which model")
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="prepared dataset; for text, unless --from-scratch: folder with captions.jsonl",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of the run; the same folder resumes")
    settings = (
        ("steps", int, "optimiser steps of the whole run"),
        ("batch-size", int, "examples a step"),
        ("lr", float, "peak learning rate"),
        ("threads", int, "CPU threads; 0 leaves torch's choice"),
        ("seed", int, "seed of weights and batches"),
    )
    for name, kind, text in settings:
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"{text} (default: the model's own)")
    parser.add_argument(
        "--favour",
        type=_factor,
        action="append",
        default=[],
        metavar="GROUP=FACTOR",
        help="draw the clips of a group, or one by its id (a pattern such as 'kick*'), so many times as often; may be repeated, "
        "the first that matches counts",
    )
    parser.add_argument(
        "--captions",
        type=Path,
        metavar="FILE",
        help='text, masked, residual, length: further captions of clips by group or id, a line {"clips": ["kick*"], "captions": '
        '["he kicks", ...]} each',
    )
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), default=None, help="default: the model's own")
    parser.add_argument("--device", default=None, help="auto, cpu or cuda (default: auto)")
    parser.add_argument(
        "--tower",
        type=model_commands.resolve_model,
        default=None,
        metavar="MODEL",
        help="text: take the text tower of a model, such as embedded, instead of training one",
    )
    parser.add_argument(
        "--from-scratch",
        action="store_true",
        help="text: learn from the captions and motion of the prepared dataset alone, without a sentence embedder as teacher",
    )
    parser.add_argument(
        "--quantize-dropout",
        type=float,
        default=None,
        metavar="P",
        help="rvq: chance that a batch is made with fewer codebooks, 0 to 1 (default: 0.2)",
    )
    parser.add_argument("--fresh", action="store_true", help="discard the run's checkpoint and start again")
    parser.set_defaults(action=commands.train)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="MODEL", help="model folder")
    parser.add_argument("data", type=Path, metavar="DATA", help="prepared dataset")
    parser.add_argument(
        "--evaluator", type=Path, default=None, metavar="FOLDER", help="text/motion evaluator (default: DATA/evaluator)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("evaluation"), help="folder of the report (default: evaluation)"
    )
    parts = ("figures", "curves", "ablations", "actions", "bodies")
    parser.add_argument(
        "--parts", nargs="+", choices=parts, default=parts, metavar="PART", help=f"of {', '.join(parts)}"
    )
    parser.add_argument("--split", default="test", help="val or test (default: test)")
    parser.add_argument("--repeats", type=int, default=20, help="of the figures (default: 20)")
    counts = (
        ("clips", None, "clips of the split, chosen at random (default: all)"),
        ("train-clips", None, "training clips for the baseline and for what is learnt from real motion (default: all)"),
        ("curve-clips", 256, "clips of each point of a curve and of each ablation (default: 256)"),
        ("body-clips", 1000, "clips whose bodies are checked (default: 1000)"),
        ("multimodality-texts", 96, "texts for MultiModality, 0 = none (default: 96)"),
        ("multimodality-samples", 30, "motions of each of these (default: 30)"),
        ("seed", 0, "of everything that is drawn (default: 0)"),
    )
    for name, value, text in counts:
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N", help=text)
    parser.add_argument(
        "--against", action="append", default=None, metavar="[NAME=]FOLDER", help="another model to compare; repeatable"
    )
    parser.add_argument(
        "--clip-weights", type=Path, default=None, metavar="FILE", help="CLIP's weights, for models that need it"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.set_defaults(action=commands.evaluate)


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, metavar="RUN", help="folder that the models were trained in")
    parser.add_argument("data", type=Path, metavar="DATA", help="the prepared dataset it was trained on")
    parser.add_argument("target", type=Path, metavar="DST", help="model folder to write")
    parser.add_argument("--name", default="custom", help="the model's name, shown to clients (default: custom)")
    parser.add_argument("--licence", default="unspecified", help="licence of the weights, stored in the config")
    parser.add_argument(
        "--weights",
        choices=("best", "last"),
        default="best",
        help="of the masked transformer (default: best validation loss)",
    )
    sampling = (
        ("steps", int, "rounds in which the base layer is filled (default: 10)"),
        ("guidance", float, "how closely the base layer follows the text (default: 4)"),
        ("residual-guidance", float, "the same of the residual layers (default: 5)"),
        ("temperature", float, "of the base layer, 0 = always the most likely code (default: 1)"),
        ("residual-temperature", float, "of the residual layers (default: 1)"),
        ("residual-layers", int, "residual layers to make (default: all)"),
        ("order-noise", float, "how freely places are filled, 0 = strictly the surest first (default: 0)"),
    )
    for name, kind, text in sampling:
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"sampling: {text}")
    parser.set_defaults(action=commands.export)


def serve(args: argparse.Namespace) -> int:
    """``motionbridge serve``."""
    from server.serving import run_server

    return run_server(args)


def preview(args: argparse.Namespace) -> int:
    """``motionbridge preview``."""
    from server.show import show

    return show(args)


def play(args: argparse.Namespace) -> int:
    """``motionbridge play``."""
    from server.play import play as run

    return asyncio.run(run(args))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors a user can mend are one line on standard error and status 2."""
    # A redirected Windows console knows few characters; a sentence it cannot show must not fail what was asked.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    args = build_parser().parse_args(argv)
    try:
        return args.action(args)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return commands.STOPPED
    except (ValueError, RuntimeError, OSError, ClientError) as error:
        return commands.fail(error)


if __name__ == "__main__":
    sys.exit(main())
