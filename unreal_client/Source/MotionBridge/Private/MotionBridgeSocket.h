// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "CoreMinimal.h"
#include "HAL/CriticalSection.h"
#include "Templates/SharedPointer.h"

class IWebSocket;

/**
 * A WebSocket whose events wait in an inbox for the game thread. Open, Send and Close are for the game thread; the
 * WebSockets module may call back on any. Its callbacks hold weak pointers only, so the socket may be let go of while
 * one runs; after Close nothing more comes out of the inbox.
 */
class FMotionBridgeSocket : public TSharedFromThis<FMotionBridgeSocket, ESPMode::ThreadSafe>
{
public:
	enum class EKind : uint8
	{
		Opened,
		Message,
		Closed
	};

	struct FEvent
	{
		EKind Kind = EKind::Opened;
		/** Message: one whole WebSocket message. */
		TArray<uint8> Data;
		/** Closed: the close code, 1006 when there was none. */
		int32 Code = 0;
		FString Reason;
	};

	static TSharedRef<FMotionBridgeSocket, ESPMode::ThreadSafe> Open(const FString& Url);

	void Send(const void* Data, SIZE_T Size);
	void Close(int32 Code, const FString& Reason);

	/** Takes all events there are, oldest first, in place of what Out held. */
	void Take(TArray<FEvent>& Out);

private:
	void Receive(const void* Data, SIZE_T Size, SIZE_T Remaining);
	void Add(FEvent&& Event);
	/** Closed as far as the inbox goes: one last event, with the lock held. */
	void Break(int32 Code, const TCHAR* Reason);

	/** Game thread. */
	TSharedPtr<IWebSocket> Socket;

	/** Guards everything below. */
	FCriticalSection Lock;
	TArray<FEvent> Inbox;
	/** Fragments of the message that is coming in. */
	TArray<uint8> Partial;
	SIZE_T InboxBytes = 0;
	bool bClosed = false;
};
