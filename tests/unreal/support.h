// What the tests of MotionBridgeCore share: the golden cases as pytest writes them, messages made up, a recording host.

#pragma once

#include "MotionBridgeCore/Codec.h"
#include "MotionBridgeCore/Retarget.h"
#include "MotionBridgeCore/Session.h"
#include "MotionBridgeCore/Skeleton.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace MotionBridge::Tests
{

using FMessage = std::vector<uint8_t>;

inline FBytes View(const FMessage& Message)
{
	return FBytes(Message.data(), Message.size());
}

inline FMessage FromHex(const std::string& Hex)
{
	FMessage Out;
	for (size_t At = 0; At + 1 < Hex.size(); At += 2)
	{
		Out.push_back(static_cast<uint8_t>(std::strtoul(Hex.substr(At, 2).c_str(), nullptr, 16)));
	}
	return Out;
}

inline std::string ToHex(std::string_view Bytes)
{
	static const char Digits[] = "0123456789abcdef";
	std::string Out;
	for (const char Byte : Bytes)
	{
		Out += Digits[static_cast<uint8_t>(Byte) >> 4];
		Out += Digits[static_cast<uint8_t>(Byte) & 15];
	}
	return Out;
}

/** Words of the file of golden cases; tests/conformance/unreal_cases.py says what they are. */
class FCaseReader
{
public:
	explicit FCaseReader(const char* Section)
	{
		const char* Path = std::getenv("MOTIONBRIDGE_CASES");
		File.open(Path ? std::string(Path) + "/" + Section + ".txt" : std::string());
		bOpen = File.is_open();
	}

	bool Next(std::string& Out) { return static_cast<bool>(File >> Out); }

	std::string Word()
	{
		std::string Out;
		File >> Out;
		return Out;
	}

	int Integer() { return std::atoi(Word().c_str()); }
	double Number() { return std::strtod(Word().c_str(), nullptr); }

	bool bOpen = false;

private:
	std::ifstream File;
};

/** Deterministic random numbers. */
struct FRandom
{
	uint64_t State;

	uint64_t Next()
	{
		State ^= State << 13;
		State ^= State >> 7;
		State ^= State << 17;
		return State;
	}
	uint64_t Below(uint64_t Limit) { return Next() % Limit; }
};

inline FWelcome MakeWelcome()
{
	FWelcome Welcome;
	Welcome.Version = 1;
	Welcome.Server = "test";
	Welcome.Session = "s";
	Welcome.ModelFrameRate = 20.0;
	Welcome.Skeleton.Name = "motionbridge-22";
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		const FJointInfo& Info = GetJoint(Joint);
		Welcome.Skeleton.Joints.push_back(
			{std::string(Info.Name), Info.Parent, {Info.Offset.X, Info.Offset.Y, Info.Offset.Z}});
	}
	Welcome.Skeleton.Feet = {7, 10, 8, 11};
	return Welcome;
}

/** Turns every joint by an angle about +Y. */
inline FPose MakePose(double Angle, float Forward)
{
	FPose Pose;
	Pose.Root[1] = 0.95f;
	Pose.Root[2] = Forward;
	for (float(&Rotation)[4] : Pose.Rotations)
	{
		Rotation[1] = static_cast<float>(std::sin(0.5 * Angle));
		Rotation[3] = static_cast<float>(std::cos(0.5 * Angle));
	}
	return Pose;
}

/** A `frames` message: frame i is at Forward metres per frame and turned by Angle radians per frame. */
inline FMessage MakeFrames(std::string_view Character, int64_t First, int64_t Count, std::string_view Prompt = {},
	double Angle = 0.01, double Forward = 0.02, double FrameRate = 30.0)
{
	FMessage Root, Rotations, Contacts;
	const auto Append = [](FMessage& To, const void* From, size_t Size)
	{
		const uint8_t* Bytes = static_cast<const uint8_t*>(From);
		To.insert(To.end(), Bytes, Bytes + Size);
	};
	for (int64_t Index = First; Index < First + Count; ++Index)
	{
		const FPose Pose = MakePose(Angle * double(Index), float(Forward * double(Index)));
		Append(Root, Pose.Root, sizeof(Pose.Root));
		Append(Rotations, Pose.Rotations, sizeof(Pose.Rotations));
		Contacts.push_back(static_cast<uint8_t>(Index % 16));
	}
	FFrames Frames;
	Frames.Character = Character;
	Frames.First = First;
	Frames.FrameRate = FrameRate;
	if (!Prompt.empty())
	{
		Frames.Prompt = Prompt;
	}
	Frames.Poses = {Count, EEncoding::Float32, View(Root), View(Rotations), View(Contacts)};
	FMessage Out;
	Encode(FServerMessage(Frames), Out);
	return Out;
}

inline FMessage MakeStatus(std::string_view Character, std::string_view Id, EStatus Status)
{
	FPromptStatus Message;
	Message.Character = Character;
	Message.Id = Id;
	Message.Status = Status;
	FMessage Out;
	Encode(FServerMessage(Message), Out);
	return Out;
}

inline FJointOrder SameOrder()
{
	FJointOrder Order;
	for (int Joint = 0; Joint < Limits::JointCount; ++Joint)
	{
		Order[size_t(Joint)] = Joint;
	}
	return Order;
}

/** Decodes a `frames` message and hands it on; the views in it live as long as the call. */
inline void WithFrames(const FMessage& Message, const std::function<void(const FFrames&)>& Use)
{
	FServerMessage Decoded;
	FProtocolError Error;
	if (DecodeServer(View(Message), Decoded, Error))
	{
		Use(*std::get_if<FFrames>(&Decoded));
	}
}

/** Writes down what a session does. */
struct FRecordingHost : ISessionHost
{
	std::vector<std::string> Log;
	std::vector<FMessage> Sent;
	int Opened = 0;

	void OpenSocket() override { ++Opened; }
	void SendBytes(FBytes Message) override { Sent.emplace_back(Message.Data, Message.Data + Message.Size); }
	void CloseSocket(int Code, std::string_view) override { Log.push_back("close " + std::to_string(Code)); }
	void OnConnection(EConnection State, std::string_view Detail) override
	{
		static const char* const Names[] = {"closed", "opening", "greeting", "connected", "waiting"};
		Log.push_back(Names[static_cast<int>(State)]);
		LastDetail = Detail;
	}
	void OnWelcome(const FWelcome&, bool bContinues) override { Log.push_back(bContinues ? "continues" : "anew"); }
	void OnPromptStatus(const FPromptStatus& Message) override
	{
		Log.push_back(Message.Id + " " + std::string(ToText(Message.Status)));
	}
	void OnErrorMessage(const FErrorMessage& Message) override { Log.push_back("error " + Message.Code); }
	void OnCharacterAdded(FCharacterStream& Stream) override { Log.push_back("added " + Stream.GetName()); }
	void OnCharacterRemoved(FCharacterStream& Stream) override { Log.push_back("removed " + Stream.GetName()); }

	/** What was sent last, decoded. */
	template <class T>
	T Last() const
	{
		FClientMessage Decoded;
		FProtocolError Error;
		DecodeClient(View(Sent.back()), Decoded, Error);
		const T* Message = std::get_if<T>(&Decoded);
		return Message ? *Message : T();
	}

	std::string LastDetail;
};

} // namespace MotionBridge::Tests
