// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "LiveLinkSourceFactory.h"
#include "MotionBridgeTypes.h"

#include "MotionBridgeLiveLinkSourceFactory.generated.h"

/** Puts MotionBridge into the menu of Live Link sources, and makes sources from presets in games. */
UCLASS()
class MOTIONBRIDGE_API UMotionBridgeLiveLinkSourceFactory : public ULiveLinkSourceFactory
{
	GENERATED_BODY()

public:
	//~ Begin ULiveLinkSourceFactory interface
	virtual FText GetSourceDisplayName() const override;
	virtual FText GetSourceTooltip() const override;
	virtual EMenuType GetMenuType() const override { return EMenuType::SubPanel; }
	virtual TSharedPtr<SWidget> BuildCreationPanel(FOnLiveLinkSourceCreated OnCreated) const override;
	virtual TSharedPtr<ILiveLinkSource> CreateSource(const FString& ConnectionString) const override;
	//~ End ULiveLinkSourceFactory interface

	/** Settings as a preset keeps them. Characters are names apart by commas, none for all. */
	static FString MakeConnectionString(const FMotionBridgeConnectionSettings& Settings, const FString& Characters);
	static FMotionBridgeConnectionSettings ReadConnectionString(const FString& Text, FString& OutCharacters);
};
