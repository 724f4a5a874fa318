"""The `.meta` file beside every asset of the Unity package: `python tests/conformance/unity_metas.py` writes them.

A package installed from git is read-only, so Unity cannot make them itself. The GUID is a hash of the path within the
package: the same for everyone, and for ever, as long as the file stays where it is.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "unity_client"
NAME = "com.motionbridge.client"

_USER_DATA = "  userData: \n  assetBundleName: \n  assetBundleVariant: \n"
_EXTERNAL = "  externalObjects: {}\n"
_SCRIPT = """  externalObjects: {}
  serializedVersion: 2
  defaultReferences: []
  executionOrder: 0
  icon: {instanceID: 0}
"""
_PLUGIN = """  externalObjects: {}
  serializedVersion: 2
  iconMap: {}
  executionOrder: {}
  defineConstraints: []
  isPreloaded: 0
  isOverridable: 0
  isExplicitlyReferenced: 0
  validateReferences: 1
  platformData:
  - first:
      Any:
    second:
      enabled: 0
      settings: {}
  - first:
      Editor: Editor
    second:
      enabled: 0
      settings:
        DefaultValueInitialized: true
  - first:
      WebGL: WebGL
    second:
      enabled: 1
      settings: {}
"""
IMPORTERS = {
    ".cs": ("MonoImporter", _SCRIPT),
    ".asmdef": ("AssemblyDefinitionImporter", _EXTERNAL),
    ".jslib": ("PluginImporter", _PLUGIN),
    ".md": ("TextScriptImporter", _EXTERNAL),
    "": ("DefaultImporter", _EXTERNAL),
}
"""Importer and settings by file suffix."""


def assets() -> list[Path]:
    """Files and folders that Unity imports: all but hidden ones, those ending in ~ and `.meta` files."""
    found = []
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        hidden = any(part.startswith(".") or part.endswith("~") for part in parts)
        if not hidden and path.suffix != ".meta":
            found.append(path)
    return found


def meta_path(asset: Path) -> Path:
    """Where the `.meta` of an asset lies."""
    return asset.with_name(asset.name + ".meta")


def guid(asset: Path) -> str:
    """32 hexadecimal digits that depend on the asset's path alone."""
    return hashlib.md5(f"{NAME}/{asset.relative_to(PACKAGE).as_posix()}".encode()).hexdigest()


def meta(asset: Path) -> str:
    """The contents of an asset's `.meta`. KeyError for a kind of file that has no importer in the table."""
    head = f"fileFormatVersion: 2\nguid: {guid(asset)}\n"
    if asset.is_dir():
        return f"{head}folderAsset: yes\nDefaultImporter:\n{_EXTERNAL}{_USER_DATA}"
    if asset.name == "package.json":
        importer, settings = "PackageManifestImporter", _EXTERNAL
    else:
        importer, settings = IMPORTERS[asset.suffix]
    return f"{head}{importer}:\n{settings}{_USER_DATA}"


def write() -> None:
    """Writes every `.meta`, and removes those whose asset is gone."""
    wanted = {meta_path(asset): meta(asset) for asset in assets()}
    for stale in set(PACKAGE.rglob("*.meta")) - set(wanted):
        stale.unlink()
    for path, contents in wanted.items():
        path.write_text(contents, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    sys.exit(write())
