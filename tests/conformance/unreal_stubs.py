"""An include folder that stands in for the engine: its header names, and what Unreal's header tool would generate."""

from __future__ import annotations

import re
from pathlib import Path

from unreal_build import PLUGIN, STUBS

MODULES: dict[str, tuple[str, ...]] = {
    "core.h": (
        "Containers/Ticker.h",
        "CoreMinimal.h",
        "HAL/CriticalSection.h",
        "HAL/IConsoleManager.h",
        "HAL/PlatformTime.h",
        "Misc/AutomationTest.h",
        "Misc/EngineVersionComparison.h",
        "Misc/Parse.h",
        "Misc/ScopeLock.h",
        "Modules/ModuleManager.h",
        "Templates/SharedPointer.h",
        "Templates/UnrealTemplate.h",
    ),
    "engine.h": (
        "BonePose.h",
        "Components/ActorComponent.h",
        "Components/PoseableMeshComponent.h",
        "Engine/GameInstance.h",
        "Engine/SkinnedAsset.h",
        "Engine/World.h",
        "GameFramework/Actor.h",
        "IWebSocket.h",
        "Subsystems/GameInstanceSubsystem.h",
        "WebSocketsModule.h",
    ),
    "live_link.h": (
        "ILiveLinkClient.h",
        "ILiveLinkSource.h",
        "LiveLinkRetargetAsset.h",
        "LiveLinkSourceFactory.h",
        "LiveLinkTypes.h",
        "Roles/LiveLinkAnimationRole.h",
        "Roles/LiveLinkAnimationTypes.h",
    ),
    "slate.h": (
        "Widgets/Input/SButton.h",
        "Widgets/Input/SEditableTextBox.h",
        "Widgets/SBoxPanel.h",
        "Widgets/SCompoundWidget.h",
        "Widgets/SNullWidget.h",
        "Widgets/SWidget.h",
        "Widgets/Text/STextBlock.h",
    ),
}
"""Engine headers that the plugin includes, by the stub that declares what it uses of them."""

CLASS = re.compile(r"^(class|struct) (?:\w+_API )?(\w+)(?: final)?(?: : public (\w+))?")


def write_includes(folder: Path) -> None:
    """Writes the engine's header names and every `.generated.h` into ``folder``."""
    for stub, names in MODULES.items():
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f'#pragma once\n#include "{STUBS / stub}"\n', encoding="utf-8")
    for header in (PLUGIN / "Source").rglob("*.h"):
        text = header.read_text(encoding="utf-8")
        if "GENERATED_BODY()" in text:
            (folder / f"{header.stem}.generated.h").write_text(generated(header.stem, text), encoding="utf-8")


def generated(name: str, text: str) -> str:
    """The bodies of the reflected types of a header: `Super`, `ThisClass`, and private from there on in a class."""
    assert f'#include "{name}.generated.h"' in text, f"{name}.h must include its generated header"
    lines = ["#pragma once", "#undef CURRENT_FILE_ID", f"#define CURRENT_FILE_ID FID_{name}"]
    kind, owner, base = "", "", None
    for number, line in enumerate(text.splitlines(), start=1):
        if found := CLASS.match(line):
            kind, owner, base = found.groups()
        if "GENERATED_BODY()" in line:
            body = f"typedef {base} Super; " if base else ""
            body += f"typedef {owner} ThisClass; private:" if kind == "class" else ""
            lines.append(f"#define FID_{name}_{number}_GENERATED_BODY {body}")
    return "\n".join(lines) + "\n"
