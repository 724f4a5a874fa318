// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "MotionBridgeTypes.h"
#include "Widgets/SCompoundWidget.h"

class SEditableTextBox;

/** Where a Live Link source is set up: URL, token, characters, and a button. */
class SMotionBridgePanel : public SCompoundWidget
{
public:
	using FCreate = TFunction<void(const FMotionBridgeConnectionSettings&, const FString& /*Characters*/)>;

	SLATE_BEGIN_ARGS(SMotionBridgePanel) {}
	SLATE_END_ARGS()

	void Construct(const FArguments& InArgs, FCreate InOnCreate);

private:
	FReply Create();

	FCreate OnCreate;
	TSharedPtr<SEditableTextBox> Url;
	TSharedPtr<SEditableTextBox> Token;
	TSharedPtr<SEditableTextBox> Characters;
};
