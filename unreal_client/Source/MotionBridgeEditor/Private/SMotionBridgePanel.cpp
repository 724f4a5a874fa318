// Copyright MotionBridge contributors. MIT licence.

#include "SMotionBridgePanel.h"

#include "Widgets/Input/SButton.h"
#include "Widgets/Input/SEditableTextBox.h"
#include "Widgets/SBoxPanel.h"
#include "Widgets/Text/STextBlock.h"

#define LOCTEXT_NAMESPACE "MotionBridge"

void SMotionBridgePanel::Construct(const FArguments&, FCreate InOnCreate)
{
	OnCreate = MoveTemp(InOnCreate);
	const FMotionBridgeConnectionSettings Defaults;
	// clang-format off
	ChildSlot
	[
		SNew(SVerticalBox)
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SNew(STextBlock).Text(LOCTEXT("Url", "Server URL"))
		]
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SAssignNew(Url, SEditableTextBox).Text(FText::FromString(Defaults.Url))
		]
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SNew(STextBlock).Text(LOCTEXT("Token", "Token, when the server asks for one"))
		]
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SAssignNew(Token, SEditableTextBox).IsPassword(true)
		]
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SNew(STextBlock).Text(LOCTEXT("Characters", "Characters, apart by commas; none for all"))
		]
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SAssignNew(Characters, SEditableTextBox)
		]
		+ SVerticalBox::Slot().AutoHeight().Padding(4.0f)
		[
			SNew(SButton)
			.Text(LOCTEXT("Add", "Add source"))
			.OnClicked(this, &SMotionBridgePanel::Create)
		]
	];
	// clang-format on
}

FReply SMotionBridgePanel::Create()
{
	FMotionBridgeConnectionSettings Settings;
	Settings.Url = Url->GetText().ToString();
	Settings.Token = Token->GetText().ToString();
	OnCreate(Settings, Characters->GetText().ToString());
	return FReply::Handled();
}

#undef LOCTEXT_NAMESPACE
