// Copyright MotionBridge contributors. MIT licence.

#pragma once

#include "MotionBridgeCore/CharacterStream.h"
#include "MotionBridgeCore/Codec.h"
#include "MotionBridgeCore/SessionMemory.h"

#include <deque>
#include <memory>

namespace MotionBridge
{

enum class EConnection : uint8_t
{
	/** Not wanted, or given up: see the detail of the last change. */
	Closed,
	/** The socket is being opened. */
	Opening,
	/** `hello` is sent, `welcome` has not come. */
	Greeting,
	Connected,
	/** Lost; the next attempt is waited for. */
	WaitingToReconnect
};

struct FSessionConfig
{
	std::string Url = Limits::DefaultUrl;
	std::string ClientName = "motionbridge-unreal";
	std::string ClientVersion;
	std::optional<std::string> Token;
	double FrameRate = Limits::DefaultFrameRate;
	EEncoding Encoding = EEncoding::Float32;
	/** Seconds from opening the socket to `welcome` before the attempt is given up. */
	double OpenTimeout = 10.0;
	/**
	 * Seconds before the first attempt to connect again; doubles with each that fails, up to the maximum. Each wait is
	 * cut by up to a half, at random.
	 */
	double ReconnectDelay = 0.5;
	double MaxReconnectDelay = 8.0;
	/** Playhead reports a second and character. */
	double ReportRate = 5.0;
	/** Messages kept while there is no connection; one more is refused. */
	size_t MaxWaiting = 64;
	int BufferFrames = FPoseBuffer::DefaultCapacity;
	/**
	 * Whether characters are told again what they were doing when the server could not resume the session: prompts
	 * under way, steering, root motion, pause.
	 */
	bool bRestore = true;
	/** Of the jitter in reconnect delays. */
	uint64_t Seed = 1;
};

/**
 * What a session asks of its surroundings and tells them. All calls come from within calls to the session. Views and
 * blocks in messages are valid during the call only. From the On... calls a host may call Send, Connect and Disconnect;
 * from OpenSocket, SendBytes and CloseSocket nothing.
 */
class ISessionHost
{
public:
	virtual ~ISessionHost() = default;

	virtual void OpenSocket() = 0;
	/** One binary WebSocket message. */
	virtual void SendBytes(FBytes Message) = 0;
	/** Lets go of the socket, open or not. Nothing more of it may reach the session. */
	virtual void CloseSocket(int Code, std::string_view Reason) = 0;

	virtual void OnConnection(EConnection, std::string_view /*Detail*/) {}
	/** bContinues: the session before goes on, its characters too; otherwise everything starts anew. */
	virtual void OnWelcome(const FWelcome&, bool /*bContinues*/) {}
	virtual void OnPromptStatus(const FPromptStatus&) {}
	virtual void OnErrorMessage(const FErrorMessage&) {}
	virtual void OnClip(const FClip&) {}
	virtual void OnStats(const FStats&) {}
	virtual void OnCharacterAdded(FCharacterStream&) {}
	virtual void OnCharacterRemoved(FCharacterStream&) {}
};

/**
 * The client's side of motionbridge.v1 without sockets, clocks or threads: events in, calls to the host out. One thread
 * at a time. It connects again by itself after a loss, and resumes the session when the server offers that; otherwise
 * it begins another and tells that what the characters were doing.
 */
class MOTIONBRIDGECORE_API FSession
{
public:
	FSession(FSessionConfig InConfig, ISessionHost& InHost);
	FSession(const FSession&) = delete;
	FSession& operator=(const FSession&) = delete;

	/** Now: seconds of one monotonic clock, in this and all calls. */
	void Connect(double Now);
	void Disconnect();

	void SocketOpened(double Now);
	void MessageReceived(FBytes Message, double Now);
	/** Code: the WebSocket close code; 1006 without one. */
	void SocketClosed(int Code, std::string_view Reason, double Now);

	/** Keeps time: playheads, reports, timeouts and reconnects. Call it every frame. */
	void Tick(double Now);

	/**
	 * Sends a message, or keeps it until there is a connection. False, with the field, value and limit in Error, when
	 * the protocol does not allow it or too many wait. `hello` and `playhead` are the session's own to send.
	 */
	bool Send(const FClientMessage& Message, FProtocolError& Error);

	/** A prompt id that this client has not used. */
	std::string NextId();

	EConnection GetState() const { return State; }
	/** Null before the first `welcome`. */
	const FWelcome* GetWelcome() const { return bWelcomed ? &Welcome : nullptr; }
	/** Null when there is no such character. */
	FCharacterStream* FindCharacter(std::string_view Name);
	const std::vector<std::unique_ptr<FCharacterStream>>& GetCharacters() const { return Characters; }
	/** Messages from the server that could not be decoded; each was skipped. */
	int GetBadMessages() const { return BadMessages; }
	const FSessionConfig& GetConfig() const { return Config; }

private:
	void Open(double Now);
	void Change(EConnection NewState, std::string_view Detail);
	void Lose(std::string_view Detail, double Now);
	void GiveUp(int Code, std::string_view Detail);
	void Take(FWelcome& Message, double Now);
	void Take(const FPromptStatus& Message, double Now);
	void Take(const FFrames& Message, double Now);
	void Take(const FClip& Message, double Now);
	void Take(const FErrorMessage& Message, double Now);
	void Take(const FStats& Message, double Now);
	FCharacterStream* AddCharacter(std::string_view Name);
	void RemoveCharacter(std::string_view Name);
	void RemoveAllBut(const std::vector<std::string>& Kept);
	void Mirror(const FClientMessage& Message);
	void Report(FCharacterStream& Stream);
	/** What the session that has begun, or goes on, is to be told before anything new. */
	std::vector<FClientMessage> CollectDue(bool bContinues, bool bHadSession);
	/** That, and what has been asked for while there was no connection. */
	void TransmitAll(const std::vector<FClientMessage>& Due);
	void TransmitControls(FCharacterStream& Stream);
	void FollowPath(const FCharacterStream& Stream);
	void Transmit(const FClientMessage& Message);
	double Jitter();

	FSessionConfig Config;
	ISessionHost& Host;
	EConnection State = EConnection::Closed;
	FWelcome Welcome;
	bool bWelcomed = false;
	std::string ResumeToken;
	/** Messages of this session that have come, over all its connections, as `hello.received` counts them. */
	int64_t Received = 0;
	FJointOrder Order{};
	std::vector<std::unique_ptr<FCharacterStream>> Characters;
	std::deque<std::vector<uint8_t>> Waiting;
	FSessionMemory Memory;
	FServerMessage Incoming;
	FProtocolError IncomingError;
	std::vector<uint8_t> Outgoing;
	double Deadline = 0.0;
	double NextReport = 0.0;
	int Attempts = 0;
	int BadMessages = 0;
	uint64_t NextNumber = 1;
	uint64_t Random;
	/** The `error` that a server sends before it closes. */
	std::string LastError;
};

} // namespace MotionBridge
