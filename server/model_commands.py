"""``motionbridge models``: which models there are, and bringing one onto this machine."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from server.cache import VARIABLE, cache_folder, clip_path
from server.commands import UsageError
from server.hub.catalogue import BY_NAME, ENTRIES, Entry
from server.hub.store import Source, Store, convert

EXAMPLES = f"""\
examples:
  motionbridge models list
  motionbridge models info humanml3d                    terms, where it comes from, where it is
  motionbridge models download humanml3d                shows the terms and asks once
  motionbridge serve --model humanml3d
  motionbridge models download kit --archive kit_models.zip --clip ViT-B-32.pt --accept-licence      without a network
  motionbridge models convert checkpoints/t2m my_model  a folder as the authors' code lays it out
  motionbridge models verify                            compares the files with what was installed, and loads them

Downloads lie in the platform's cache folder; --cache FOLDER or the variable {VARIABLE} names another. An interrupted
download goes on where it was. The authors of MoMask publish no checksums: that of the first download is recorded, and
later ones must be the same (or pass --sha256, or --new-checksum)."""

_MIB = 1 << 20


def add_models(parser: argparse.ArgumentParser, parser_class: type[argparse.ArgumentParser]) -> None:
    """The arguments of ``motionbridge models`` and its own commands."""
    commands = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND", parser_class=parser_class)
    names = ", ".join(BY_NAME)

    def add(name: str, summary: str, action: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name, help=summary, description=summary, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
        )  # fmt: skip
        sub.add_argument("--cache", type=Path, default=None, metavar="FOLDER", help="where downloaded models lie")
        sub.set_defaults(action=action)
        return sub

    add("list", "the models that have a name", list_models)
    info = add("info", "what is known of a model: terms, source, place", info_model)
    info.add_argument("name", metavar="NAME", help=names)
    get = add("download", "bring a published model onto this machine", download_model)
    get.add_argument("name", metavar="NAME", help=names)
    get.add_argument("--accept-licence", action="store_true", help="the terms are accepted; do not ask")
    get.add_argument("--url", default=None, help="a mirror of the archive")
    get.add_argument("--archive", type=Path, default=None, metavar="FILE", help="the archive, already downloaded")
    get.add_argument("--sha256", default=None, metavar="HEX", help="what the archive must have")
    get.add_argument("--new-checksum", action="store_true", help="forget the checksum of an earlier download")
    get.add_argument("--clip", type=Path, default=None, metavar="FILE", help="OpenAI's ViT-B-32.pt, already downloaded")
    get.add_argument("--clip-url", default=None, metavar="URL", help="a mirror of ViT-B-32.pt")
    get.add_argument("--no-clip", action="store_true", help="leave the text encoder to open_clip's own cache")
    get.add_argument("--keep", action="store_true", help="keep the archive beside the converted model")
    make = add("convert", "a folder in the published layout as a model folder", convert_model)
    make.add_argument("source", type=Path, metavar="SRC", help="such as checkpoints/t2m of the authors' code")
    make.add_argument("target", type=Path, metavar="DST", help="model folder to write, for --model")
    make.add_argument("--name", default=None, help="the model's name, shown to clients")
    make.add_argument("--half", action="store_true", help="half precision: half the size, rounded weights")
    check = add("verify", "check the files of installed models", verify_models)
    check.add_argument("names", nargs="*", metavar="NAME", help=f"default: all that are installed ({names})")


def resolve_model(text: str) -> Path:
    """The folder that ``--model`` means: a named model's, or the folder itself (``./NAME`` for one of a model's name).

    ArgumentTypeError, which argparse shows, when the named model is not on this machine or there is nothing of that name.
    """
    if text in BY_NAME:
        store = Store(cache_folder())
        if not store.installed(text):
            raise argparse.ArgumentTypeError(
                f"model {text!r} is not on this machine yet; run: motionbridge models download {text}"
            )
        return store.folder(text)
    path = Path(text)
    if not path.exists() and path.name == text:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a folder nor one of {', '.join(BY_NAME)}")
    return path


def list_models(args: argparse.Namespace) -> int:
    """``motionbridge models list``."""
    store = Store(cache_folder(args.cache))
    row = "{:<11}{:<15}{:<9}{:<6}{:<14}{}"
    print(row.format("name", "here", "joints", "fps", "licence", ""))
    for entry in ENTRIES:
        here = "yes" if store.installed(entry.name) else "not downloaded"
        print(row.format(entry.name, here, entry.joints, entry.frame_rate, entry.licence, entry.title).rstrip())
    print(f"\nmotionbridge models info NAME tells more. Downloads lie in {store.root}")
    return 0


def info_model(args: argparse.Namespace) -> int:
    """``motionbridge models info``."""
    entry, store = _entry(args.name), Store(cache_folder(args.cache))
    print(f"{entry.name}: {entry.title}\n")
    print(f"{entry.terms}\n")
    print(f"joints        {entry.joints}, {entry.frame_rate} frames per second")
    if entry.archive is not None:
        size = f", about {entry.archive.size // _MIB} MiB" if entry.archive.size else ""
        print(f"archive       {entry.archive.file}{size}, {entry.archive.page}")
        print(
            f"checksum      {store.checksum(entry.archive) or 'none is published; that of the first download is recorded'}"
        )
        clip = clip_path(store.root)
        print(f"text encoder  {clip if clip.is_file() else 'CLIP ViT-B/32, not downloaded'}")
    here = store.folder(entry.name) if store.installed(entry.name) else f"motionbridge models download {entry.name}"
    print(f"{'folder' if store.installed(entry.name) else 'get it':<14}{here}")
    if entry.archive is not None:
        print(f"terms         {'accepted' if store.accepted(entry) else 'not accepted yet'}")
    return 0


def download_model(args: argparse.Namespace) -> int:
    """``motionbridge models download``."""
    entry, store = _entry(args.name), Store(cache_folder(args.cache))
    if entry.archive is None:
        print(f"{entry.name} is part of the package: there is nothing to download")
        return 0
    if args.url is not None and args.archive is not None:
        raise UsageError("--url and --archive are two sources of one file; give one of them")
    _accept(entry, store, args.accept_licence)
    given = args.archive is not None or args.url is not None or args.new_checksum
    given |= args.sha256 is not None and args.sha256.lower() != store.record(entry.name).get("sha256")
    if store.installed(entry.name) and not given:
        print(f"{entry.name} is here: {store.folder(entry.name)}")
    else:
        source = Source(args.url, args.archive, args.sha256, args.new_checksum)
        print(f"wrote {store.install(entry, source, keep=args.keep)}")
    if entry.text_encoder == "clip" and not args.no_clip:
        print(f"text encoder {store.install_clip(Source(args.clip_url, args.clip))}")
    print(f"try: motionbridge serve --model {entry.name}")
    return 0


def _accept(entry: Entry, store: Store, accepted: bool) -> None:
    """Show the terms and have them accepted, once; UsageError when they are not."""
    if store.accepted(entry):
        return
    print(f"{entry.terms}\n")
    if not accepted:
        if not sys.stdin.isatty():
            raise UsageError("the terms above must be accepted once: pass --accept-licence")
        try:
            answer = input("Do you accept these terms? [y/N] ").strip().lower()
        except EOFError:
            answer = ""
        if answer not in ("y", "yes"):
            raise UsageError("the terms were not accepted; nothing was downloaded")
    store.accept(entry)


def convert_model(args: argparse.Namespace) -> int:
    """``motionbridge models convert``."""
    if not args.source.is_dir():
        raise UsageError(f"{args.source} is not a folder; give the path to checkpoints/t2m or checkpoints/kit")
    convert(args.source, args.target, args.name, args.half)
    print(f"wrote {args.target}; try: motionbridge serve --model {args.target}")
    return 0


def verify_models(args: argparse.Namespace) -> int:
    """``motionbridge models verify``: exit status 1 when something is wrong."""
    store = Store(cache_folder(args.cache))
    entries = [_entry(name) for name in args.names] or [entry for entry in ENTRIES if store.installed(entry.name)]
    wrong = 0
    for entry in entries:
        if not store.installed(entry.name):
            raise UsageError(f"{entry.name} is not on this machine; run: motionbridge models download {entry.name}")
        faults = store.verify(entry.name)
        wrong += bool(faults)
        print(f"{entry.name}: {'; '.join(faults) or 'whole'}")
        if faults and entry.archive is not None:
            print(
                f"  get it again: motionbridge models download {entry.name} --archive FILE (or --url {entry.archive.url})"
            )
    return 1 if wrong else 0


def _entry(name: str) -> Entry:
    if name not in BY_NAME:
        raise UsageError(f"there is no model {name!r}; there are {', '.join(BY_NAME)}")
    return BY_NAME[name]
