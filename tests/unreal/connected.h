// A session and its host, as most tests of sessions begin.

#pragma once

#include "support.h"

namespace MotionBridge::Tests
{

/** A session that has been welcomed. */
struct FConnected
{
	FRecordingHost Host;
	FSession Session;

	explicit FConnected(FSessionConfig Config = {})
		: Session(std::move(Config), Host)
	{
		Greet(MakeWelcome(), 0.0);
	}

	void Greet(const FWelcome& Welcome, double Now)
	{
		if (Session.GetState() == EConnection::Closed)
		{
			Session.Connect(Now);
		}
		Session.SocketOpened(Now);
		Message(FServerMessage(Welcome), Now);
	}
	void Message(const FServerMessage& Message, double Now)
	{
		FMessage Data;
		Encode(Message, Data);
		Session.MessageReceived(View(Data), Now);
	}
	void Bytes(const FMessage& Data, double Now) { Session.MessageReceived(View(Data), Now); }
};

} // namespace MotionBridge::Tests
