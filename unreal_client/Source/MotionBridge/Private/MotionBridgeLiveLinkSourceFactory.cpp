// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeLiveLinkSourceFactory.h"

#include "Misc/Parse.h"
#include "MotionBridgeLiveLinkSource.h"
#include "MotionBridgeModule.h"
#include "Widgets/SNullWidget.h"
#include "Widgets/SWidget.h"

#define LOCTEXT_NAMESPACE "MotionBridge"

FText UMotionBridgeLiveLinkSourceFactory::GetSourceDisplayName() const
{
	return LOCTEXT("SourceName", "MotionBridge");
}

FText UMotionBridgeLiveLinkSourceFactory::GetSourceTooltip() const
{
	return LOCTEXT("SourceTooltip", "Characters that a MotionBridge server moves after text prompts");
}

TSharedPtr<SWidget> UMotionBridgeLiveLinkSourceFactory::BuildCreationPanel(FOnLiveLinkSourceCreated OnCreated) const
{
	const FMotionBridgePanelBuilder& Build = FMotionBridgeModule::Get().PanelBuilder;
	if (!Build)
	{
		return SNullWidget::NullWidget;
	}
	const TWeakObjectPtr<const UMotionBridgeLiveLinkSourceFactory> Weak(this);
	return Build(
		[Weak, OnCreated](const FMotionBridgeConnectionSettings& Settings, const FString& Characters)
		{
			if (const UMotionBridgeLiveLinkSourceFactory* Factory = Weak.Get())
			{
				const FString Connection = MakeConnectionString(Settings, Characters);
				OnCreated.ExecuteIfBound(Factory->CreateSource(Connection), Connection);
			}
		});
}

TSharedPtr<ILiveLinkSource> UMotionBridgeLiveLinkSourceFactory::CreateSource(const FString& ConnectionString) const
{
	FString List;
	const FMotionBridgeConnectionSettings Settings = ReadConnectionString(ConnectionString, List);
	TArray<FString> Characters;
	List.ParseIntoArray(Characters, TEXT(","));
	for (FString& Character : Characters)
	{
		Character.TrimStartAndEndInline();
	}
	return MakeShared<FMotionBridgeLiveLinkSource>(FMotionBridgeModule::Get().AcquireClient(Settings), Characters);
}

FString UMotionBridgeLiveLinkSourceFactory::MakeConnectionString(
	const FMotionBridgeConnectionSettings& Settings, const FString& Characters)
{
	return FString::Printf(TEXT("Url=\"%s\" Token=\"%s\" Characters=\"%s\" FrameRate=%f Compact=%d"), *Settings.Url,
		*Settings.Token, *Characters, static_cast<double>(Settings.FrameRate), Settings.bCompactRotations ? 1 : 0);
}

FMotionBridgeConnectionSettings UMotionBridgeLiveLinkSourceFactory::ReadConnectionString(
	const FString& Text, FString& OutCharacters)
{
	FMotionBridgeConnectionSettings Settings;
	int32 Compact = 0;
	FParse::Value(*Text, TEXT("Url="), Settings.Url);
	FParse::Value(*Text, TEXT("Token="), Settings.Token);
	FParse::Value(*Text, TEXT("Characters="), OutCharacters, false);
	FParse::Value(*Text, TEXT("FrameRate="), Settings.FrameRate);
	FParse::Value(*Text, TEXT("Compact="), Compact);
	Settings.bCompactRotations = Compact != 0;
	return Settings;
}

#undef LOCTEXT_NAMESPACE
