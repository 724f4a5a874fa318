// Copyright MotionBridge contributors. MIT licence.

#include "MotionBridgeCore/Session.h"

#include <algorithm>

namespace MotionBridge
{

namespace
{

constexpr int NormalClosure = 1000;
constexpr int MessageTooBig = 1009;
/** The one code of the protocol's own after which a server keeps the session; SPEC.md, "Resume". */
constexpr int TooSlow = 4011;

/** Ends after which connecting again would only end the same way, and what to do about each; SPEC.md, "Close codes". */
struct FFinalClose
{
	int Code;
	std::string_view Remedy;
};

constexpr FFinalClose FinalCloses[] = {
	{MessageTooBig, "send smaller messages"},
	{4001, "set the token that the server was started with"},
	{4002, "use a plugin and a server of the same protocol version"},
	{4008, "look at the errors before this one"},
	{4009, "send smaller messages"},
	{4010, "another connection has taken this session over"},
};

} // namespace

FSession::FSession(FSessionConfig InConfig, ISessionHost& InHost)
	: Config(std::move(InConfig))
	, Host(InHost)
	, Random(Config.Seed | 1)
{}

void FSession::Connect(double Now)
{
	if (State == EConnection::Closed || State == EConnection::WaitingToReconnect)
	{
		Attempts = 0;
		Open(Now);
	}
}

void FSession::Disconnect()
{
	if (State != EConnection::Closed)
	{
		ResumeToken.clear();
		Waiting.clear();
		GiveUp(NormalClosure, "disconnected");
		RemoveAllBut({});
	}
}

void FSession::Open(double Now)
{
	LastError.clear();
	Deadline = Now + Config.OpenTimeout;
	Change(EConnection::Opening, Config.Url);
	// Whoever hears of a change may disconnect; then what was to follow must not.
	if (State == EConnection::Opening)
	{
		Host.OpenSocket();
	}
}

void FSession::Change(EConnection NewState, std::string_view Detail)
{
	State = NewState;
	Host.OnConnection(NewState, Detail);
}

void FSession::SocketOpened(double)
{
	if (State != EConnection::Opening)
	{
		return;
	}
	FHello Hello;
	Hello.Client = Config.ClientName;
	Hello.ClientVersion = Config.ClientVersion;
	Hello.Token = Config.Token;
	Hello.FrameRate = Config.FrameRate;
	Hello.Encoding = Config.Encoding;
	if (!ResumeToken.empty())
	{
		Hello.Resume = ResumeToken;
		Hello.Received = Received;
	}
	Change(EConnection::Greeting, Config.Url);
	if (State == EConnection::Greeting)
	{
		Encode(Hello, Outgoing);
		Host.SendBytes(FBytes(Outgoing.data(), Outgoing.size()));
	}
}

void FSession::SocketClosed(int Code, std::string_view Reason, double Now)
{
	if (State == EConnection::Closed || State == EConnection::WaitingToReconnect)
	{
		return;
	}
	std::string Detail = "connection closed with code " + std::to_string(Code);
	Detail += Reason.empty() ? (LastError.empty() ? "" : ": " + LastError) : ": " + std::string(Reason);
	for (const FFinalClose& Final : FinalCloses)
	{
		if (Final.Code == Code)
		{
			Detail += "; " + std::string(Final.Remedy);
			GiveUp(Code, Detail);
			return;
		}
	}
	Lose(Detail, Now);
}

void FSession::Lose(std::string_view Detail, double Now)
{
	const double Longest =
		std::min(Config.ReconnectDelay * double(1 << std::min(Attempts, 16)), Config.MaxReconnectDelay);
	++Attempts;
	// Between half and all of it, so that the clients of a server that restarts do not all come at once.
	Deadline = Now + Longest * (0.5 + 0.5 * Jitter());
	Host.CloseSocket(TooSlow, Detail);
	Change(EConnection::WaitingToReconnect, Detail);
}

void FSession::GiveUp(int Code, std::string_view Detail)
{
	Memory.Clear();
	Host.CloseSocket(Code >= 4000 ? NormalClosure : Code, Detail);
	Change(EConnection::Closed, Detail);
}

void FSession::Tick(double Now)
{
	for (const std::unique_ptr<FCharacterStream>& Stream : Characters)
	{
		Stream->Advance(Now);
	}
	switch (State)
	{
		case EConnection::Connected:
			for (const std::unique_ptr<FCharacterStream>& Stream : Characters)
			{
				FollowPath(*Stream);
			}
			if (Now >= NextReport)
			{
				NextReport = Now + 1.0 / Config.ReportRate;
				for (const std::unique_ptr<FCharacterStream>& Stream : Characters)
				{
					Report(*Stream);
				}
			}
			break;
		case EConnection::Opening:
		case EConnection::Greeting:
			if (Now >= Deadline)
			{
				Lose("no answer from " + Config.Url + "; is the server running? Start it with `motionbridge serve`",
					Now);
			}
			break;
		case EConnection::WaitingToReconnect:
			if (Now >= Deadline)
			{
				Open(Now);
			}
			break;
		case EConnection::Closed:
			break;
	}
}

void FSession::Report(FCharacterStream& Stream)
{
	if (!Stream.HasStarted())
	{
		return;
	}
	FPlayhead Playhead;
	Playhead.Character = Stream.GetName();
	Playhead.Frame = static_cast<int64_t>(Stream.GetPlayhead());
	Playhead.Buffered = Stream.GetBuffer().CountAfter(Playhead.Frame);
	Encode(Playhead, Outgoing);
	Host.SendBytes(FBytes(Outgoing.data(), Outgoing.size()));
}

bool FSession::Send(const FClientMessage& Message, FProtocolError& Error)
{
	// What the server would refuse is refused here, by the same rules.
	FClientMessage Checked;
	Encode(Message, Outgoing);
	const size_t MaxBytes =
		bWelcomed ? static_cast<size_t>(Welcome.ServerLimits.MessageBytes) : Limits::MaxMessageBytes;
	if (!DecodeClient(FBytes(Outgoing.data(), Outgoing.size()), Checked, Error, MaxBytes))
	{
		return false;
	}
	if (State == EConnection::Connected)
	{
		Memory.Sent(Checked);
		Host.SendBytes(FBytes(Outgoing.data(), Outgoing.size()));
	}
	else if (State == EConnection::Closed || Waiting.size() >= Config.MaxWaiting)
	{
		Error.Code = EErrorCode::InvalidField;
		Error.Message = State == EConnection::Closed
			? "not connected: call Connect first"
			: std::to_string(Waiting.size()) + " messages wait for the connection already; try again when it is back";
		return false;
	}
	else
	{
		Waiting.push_back(Outgoing);
	}
	Mirror(Message);
	return true;
}

void FSession::Mirror(const FClientMessage& Message)
{
	const FControl* Control = std::get_if<FControl>(&Message);
	if (!Control)
	{
		return;
	}
	FCharacterStream* Stream = FindCharacter(Control->Character);
	if (!Stream)
	{
		return;
	}
	if (Control->Action == EAction::Remove)
	{
		RemoveCharacter(Control->Character);
	}
	else if (Control->Action == EAction::Pause || Control->Action == EAction::Resume)
	{
		Stream->SetPaused(Control->Action == EAction::Pause);
	}
}

std::string FSession::NextId()
{
	return "unreal-" + std::to_string(NextNumber++);
}

double FSession::Jitter()
{
	// xorshift64: jitter needs no better.
	Random ^= Random << 13;
	Random ^= Random >> 7;
	Random ^= Random << 17;
	return double(Random >> 11) / 9007199254740992.0;
}

} // namespace MotionBridge
