// Stub of what the plugin uses of Slate, written from the public API documentation.

#pragma once

#include "core.h"

class SWidget
{
public:
	virtual ~SWidget() = default;
};

class SNullWidget
{
public:
	static inline const TSharedRef<SWidget> NullWidget = MakeShared<SWidget>();
};

class FReply
{
public:
	static FReply Handled() { return FReply(); }
};

struct FStubSlot
{
	template <class T>
	FStubSlot& operator[](const T&)
	{
		return *this;
	}
	FStubSlot& AutoHeight() { return *this; }
	FStubSlot& Padding(float) { return *this; }
};

class SCompoundWidget : public SWidget
{
protected:
	FStubSlot ChildSlot;
};

#define SLATE_BEGIN_ARGS(Widget) \
	struct FArguments            \
	{                            \
		FArguments()
#define SLATE_END_ARGS() \
	}                    \
	;

/** Builder of a widget in a declaration. */
template <class T>
struct TStubDecl
{
	TSharedRef<T> Widget;

	template <class... TArgs>
	explicit TStubDecl(TArgs&&... Args)
		: Widget(MakeShared<T>())
	{
		if constexpr (requires { typename T::FArguments; })
		{
			Widget->Construct(typename T::FArguments(), std::forward<TArgs>(Args)...);
		}
	}
	template <class TOther>
	operator TSharedRef<TOther>() const
	{
		return Widget;
	}

	TStubDecl& Text(const FText& In)
	{
		Widget->SetText(In);
		return *this;
	}
	TStubDecl& IsPassword(bool) { return *this; }
	template <class TOwner>
	TStubDecl& OnClicked(TOwner* Owner, FReply (TOwner::*Method)())
	{
		Widget->Clicked = [Owner, Method]() { (Owner->*Method)(); };
		return *this;
	}
	TStubDecl& operator+(const FStubSlot&) { return *this; }
};

#define SNew(Widget, ...) TStubDecl<Widget>(__VA_ARGS__)
#define SAssignNew(Variable, Widget, ...) TStubAssigned<Widget>(Variable)

class SStubText : public SWidget
{
public:
	void SetText(const FText& In) { Text = In; }
	FText GetText() const { return Text; }
	std::function<void()> Clicked;

private:
	FText Text;
};

class STextBlock : public SStubText
{};

class SEditableTextBox : public SStubText
{};

class SButton : public SStubText
{};

class SVerticalBox : public SWidget
{
public:
	static FStubSlot Slot() { return {}; }
};

template <class T>
TStubDecl<T> TStubAssigned(TSharedPtr<T>& Variable)
{
	TStubDecl<T> Out;
	Variable = Out.Widget;
	return Out;
}
