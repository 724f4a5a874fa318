// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeSocket.h"

#include "IWebSocket.h"
#include "Misc/ScopeLock.h"
#include "Templates/UnrealTemplate.h"
#include "WebSocketsModule.h"

#include "MotionBridgeCore/Limits.h"

namespace
{

constexpr int32 PolicyViolation = 1008;
constexpr int32 MessageTooBig = 1009;
constexpr int32 AbnormalClosure = 1006;

/** What may wait while the game thread is busy, as with loading a level; a server sends no more than 2 s ahead. */
constexpr SIZE_T MaxInboxBytes = 32 * 1024 * 1024;
constexpr int32 MaxInboxEvents = 16384;

} // namespace

TSharedRef<FMotionBridgeSocket, ESPMode::ThreadSafe> FMotionBridgeSocket::Open(const FString& Url)
{
	TSharedRef<FMotionBridgeSocket, ESPMode::ThreadSafe> Self = MakeShared<FMotionBridgeSocket, ESPMode::ThreadSafe>();
	const TWeakPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Weak(Self);
	const TSharedRef<IWebSocket> Socket =
		FWebSocketsModule::Get().CreateWebSocket(Url, FString(MotionBridge::Limits::Subprotocol));
	Socket->OnConnected().AddLambda(
		[Weak]()
		{
			if (const TSharedPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Pinned = Weak.Pin())
			{
				Pinned->Add(FEvent());
			}
		});
	Socket->OnRawMessage().AddLambda(
		[Weak](const void* Data, SIZE_T Size, SIZE_T Remaining)
		{
			if (const TSharedPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Pinned = Weak.Pin())
			{
				Pinned->Receive(Data, Size, Remaining);
			}
		});
	Socket->OnConnectionError().AddLambda(
		[Weak](const FString& Error)
		{
			if (const TSharedPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Pinned = Weak.Pin())
			{
				Pinned->Add({EKind::Closed, {}, AbnormalClosure, Error});
			}
		});
	Socket->OnClosed().AddLambda(
		[Weak](int32 Code, const FString& Reason, bool)
		{
			if (const TSharedPtr<FMotionBridgeSocket, ESPMode::ThreadSafe> Pinned = Weak.Pin())
			{
				Pinned->Add({EKind::Closed, {}, Code, Reason});
			}
		});
	Self->Socket = Socket;
	Socket->Connect();
	return Self;
}

void FMotionBridgeSocket::Send(const void* Data, SIZE_T Size)
{
	if (Socket.IsValid() && Socket->IsConnected())
	{
		Socket->Send(Data, Size, true);
	}
}

void FMotionBridgeSocket::Close(int32 Code, const FString& Reason)
{
	{
		const FScopeLock Guard(&Lock);
		bClosed = true;
		Inbox.Empty();
		Partial.Empty();
	}
	if (Socket.IsValid())
	{
		Socket->Close(Code, Reason);
		Socket.Reset();
	}
}

void FMotionBridgeSocket::Take(TArray<FEvent>& Out)
{
	Out.Reset();
	const FScopeLock Guard(&Lock);
	Swap(Inbox, Out);
	InboxBytes = 0;
}

void FMotionBridgeSocket::Receive(const void* Data, SIZE_T Size, SIZE_T Remaining)
{
	const FScopeLock Guard(&Lock);
	if (bClosed)
	{
		return;
	}
	const SIZE_T Whole = static_cast<SIZE_T>(Partial.Num()) + Size + Remaining;
	if (Whole > MotionBridge::Limits::MaxMessageBytes)
	{
		Break(MessageTooBig, TEXT("the server sent a message beyond the protocol's limit"));
		return;
	}
	Partial.Append(static_cast<const uint8*>(Data), static_cast<int32>(Size));
	if (Remaining > 0)
	{
		return;
	}
	if (Inbox.Num() >= MaxInboxEvents || InboxBytes + Whole > MaxInboxBytes)
	{
		Break(PolicyViolation, TEXT("the game thread has not taken messages for too long"));
		return;
	}
	InboxBytes += Whole;
	Inbox.Add({EKind::Message, MoveTemp(Partial), 0, FString()});
	Partial.Reset();
}

void FMotionBridgeSocket::Add(FEvent&& Event)
{
	const FScopeLock Guard(&Lock);
	if (!bClosed)
	{
		bClosed = Event.Kind == EKind::Closed;
		Inbox.Add(MoveTemp(Event));
	}
}

void FMotionBridgeSocket::Break(int32 Code, const TCHAR* Reason)
{
	bClosed = true;
	Partial.Empty();
	Inbox.Add({EKind::Closed, {}, Code, FString(Reason)});
}
