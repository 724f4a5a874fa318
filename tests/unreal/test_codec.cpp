// The golden messages of protocol/vectors, and what no vector can show: mutations, zero allocations, sizes.

#include "MessageFields.h"
#include "MotionBridgeCore/Msgpack.h"
#include "support.h"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

namespace MotionBridge::Tests
{

/** Writes a message down as `path value` lines, by the same table that reads and writes it. */
struct FDumper
{
	std::vector<std::string>& Lines;
	std::string Prefix;

	template <class T, class TRule>
	void Required(std::string_view Key, const T& Value, const TRule& Rule)
	{
		Dump(Prefix.empty() ? std::string(Key) : Prefix + "." + std::string(Key), Value, Rule);
	}
	template <class T, class TRule>
	void Default(std::string_view Key, const T& Value, const TRule& Rule)
	{
		Required(Key, Value, Rule);
	}
	template <class T, class TRule>
	void Optional(std::string_view Key, const std::optional<T>& Value, const TRule& Rule)
	{
		if (Value)
		{
			Required(Key, *Value, Rule);
		}
	}
	template <class TFindFault>
	void Check(std::string_view, TFindFault)
	{}

	void Add(const std::string& Path, const std::string& Value) { Lines.push_back(Path + " " + Value); }
	void Dump(const std::string& Path, std::string_view Value, const FTextRule&) { Add(Path, "s:" + ToHex(Value)); }
	void Dump(const std::string& Path, FBytes Value, FBinaryRule) { Add(Path, "x:" + ToHex(Value.AsText())); }
	void Dump(const std::string& Path, bool bValue, FFlagRule) { Add(Path, bValue ? "b:1" : "b:0"); }
	void Dump(const std::string& Path, int64_t Value, const FWholeRule&) { Add(Path, "i:" + std::to_string(Value)); }
	void Dump(const std::string& Path, double Value, const FRealRule&)
	{
		char Text[40];
		std::snprintf(Text, sizeof(Text), "r:%.17g", Value);
		Add(Path, Text);
	}
	template <class TEnum>
	void Dump(const std::string& Path, TEnum Value, const FChoiceRule&)
	{
		Add(Path, "s:" + ToHex(ToText(Value)));
	}
	template <class T>
	void Dump(const std::string& Path, const T& Value, FMapRule)
	{
		FDumper Inner{Lines, Path};
		Describe(Inner, Value);
	}
	template <class TList, class TRule>
	void DumpItems(const std::string& Path, const TList& List, const TRule& Rule)
	{
		for (size_t Index = 0; Index < List.size(); ++Index)
		{
			Dump(Path + "[" + std::to_string(Index) + "]", List[Index], Rule);
		}
	}
	template <class T, class TRule>
	void Dump(const std::string& Path, const std::vector<T>& List, const TListRule<TRule>& Rule)
	{
		DumpItems(Path, List, Rule.Item);
	}
	template <class T, size_t Size, class TRule>
	void Dump(const std::string& Path, const std::array<T, Size>& List, const TTupleRule<TRule>& Rule)
	{
		DumpItems(Path, List, Rule.Item);
	}
};

const FPoseBlocks* BlocksOf(const FClientMessage& Message)
{
	const FEdit* Edit = std::get_if<FEdit>(&Message);
	return Edit ? &Edit->Poses : nullptr;
}

const FPoseBlocks* BlocksOf(const FServerMessage& Message)
{
	const FFrames* Frames = std::get_if<FFrames>(&Message);
	const FClip* Clip = std::get_if<FClip>(&Message);
	return Frames ? &Frames->Poses : Clip ? &Clip->Poses : nullptr;
}

bool Decode(FBytes Data, FClientMessage& Out, FProtocolError& Error, size_t MaxBytes)
{
	return DecodeClient(Data, Out, Error, MaxBytes);
}

bool Decode(FBytes Data, FServerMessage& Out, FProtocolError& Error, size_t MaxBytes)
{
	return DecodeServer(Data, Out, Error, MaxBytes);
}

void CheckPoses(FCaseReader& Cases, const FPoseBlocks& Blocks)
{
	const double Tolerance = Blocks.Encoding == EEncoding::Float32 ? 0.0 : 1e-6;
	REQUIRE(Cases.Integer() == Blocks.Count);
	for (int64_t Frame = 0; Frame < Blocks.Count; ++Frame)
	{
		FPose Pose;
		UnpackPose(Blocks, Frame, Pose);
		for (const float Part : Pose.Root)
		{
			CHECK(double(Part) == Cases.Number());
		}
		for (const float(&Rotation)[4] : Pose.Rotations)
		{
			for (const float Part : Rotation)
			{
				CHECK(std::fabs(double(Part) - Cases.Number()) <= Tolerance);
			}
		}
		CHECK(int(Pose.Contacts) == Cases.Integer());
	}
}

template <class TMessage>
void CheckGood(FCaseReader& Cases)
{
	const bool bCanonical = Cases.Integer() != 0;
	const FMessage Data = FromHex(Cases.Word());
	std::vector<std::string> Wanted;
	std::string Word;
	while (Cases.Next(Word) && Word == "field")
	{
		const std::string Path = Cases.Word();
		Wanted.push_back(Path + " " + Cases.Word());
	}
	TMessage Message;
	FProtocolError Error;
	const bool bDecoded = Decode(View(Data), Message, Error, Limits::MaxMessageBytes);
	CAPTURE(Error.Message);
	REQUIRE(bDecoded);
	std::vector<std::string> Lines;
	std::visit(
		[&Lines](const auto& Kind)
		{
			Lines.push_back("type s:" + ToHex(Kind.Type));
			FDumper Dumper{Lines, {}};
			Describe(Dumper, Kind);
		},
		Message);
	std::sort(Lines.begin(), Lines.end());
	std::sort(Wanted.begin(), Wanted.end());
	REQUIRE(Lines.size() == Wanted.size());
	for (size_t Index = 0; Index < Lines.size(); ++Index)
	{
		CHECK(Lines[Index] == Wanted[Index]);
	}
	FMessage Written;
	Encode(Message, Written);
	CHECK((Written == Data) == bCanonical);
	if (Word == "poses")
	{
		const FPoseBlocks* Blocks = BlocksOf(Message);
		REQUIRE(Blocks != nullptr);
		CheckPoses(Cases, *Blocks);
		Word = Cases.Word();
	}
	REQUIRE(Word == "end");
}

TEST_CASE("golden messages decode to their meaning and are written byte for byte")
{
	FCaseReader Cases("good");
	REQUIRE(Cases.bOpen);
	std::string Name;
	int Count = 0;
	while (Cases.Next(Name))
	{
		CAPTURE(Name);
		++Count;
		if (Cases.Word() == "client")
		{
			CheckGood<FClientMessage>(Cases);
		}
		else
		{
			CheckGood<FServerMessage>(Cases);
		}
	}
	CHECK(Count > 60);
}

template <class TMessage>
void CheckBad(FCaseReader& Cases)
{
	const std::string Code = Cases.Word(), Field = Cases.Word(), Id = Cases.Word();
	const size_t MaxBytes = static_cast<size_t>(Cases.Integer());
	const std::string Hex = Cases.Word();
	const FMessage Data = FromHex(Hex == "-" ? "" : Hex);
	TMessage Message;
	FProtocolError Error;
	CHECK(!Decode(View(Data), Message, Error, MaxBytes));
	CHECK(ToText(Error.Code) == Code);
	CHECK(Error.Field == (Field == "-" ? "" : Field));
	CHECK(ToHex(Error.Id) == (Id == "-" ? "" : Id));
	CHECK(!Error.Message.empty());
}

TEST_CASE("malformed messages are refused with code, field and id")
{
	FCaseReader Cases("bad");
	REQUIRE(Cases.bOpen);
	std::string Name;
	int Count = 0;
	while (Cases.Next(Name))
	{
		CAPTURE(Name);
		++Count;
		if (Cases.Word() == "client")
		{
			CheckBad<FClientMessage>(Cases);
		}
		else
		{
			CheckBad<FServerMessage>(Cases);
		}
	}
	CHECK(Count > 100);
}

TEST_CASE("mutated messages get the verdict that the Python codec gives")
{
	FCaseReader Cases("verdicts");
	REQUIRE(Cases.bOpen);
	std::string From;
	int Count = 0;
	while (Cases.Next(From))
	{
		const std::string Code = Cases.Word(), Field = Cases.Word(), Hex = Cases.Word();
		CAPTURE(Hex);
		const FMessage Data = FromHex(Hex);
		FClientMessage FromClient;
		FServerMessage FromServer;
		FProtocolError Error;
		const bool bGood = From == "client" ? DecodeClient(View(Data), FromClient, Error)
											: DecodeServer(View(Data), FromServer, Error);
		CAPTURE(Error.Message);
		CHECK((bGood ? std::string_view("ok") : ToText(Error.Code)) == Code);
		CHECK((Error.Field.empty() ? "-" : Error.Field) == Field);
		++Count;
	}
	CHECK(Count >= 2000);
}

std::vector<FMessage> AllGoodMessages()
{
	FCaseReader Cases("corpus");
	std::vector<FMessage> Out;
	std::string Hex;
	while (Cases.Next(Hex))
	{
		Out.push_back(FromHex(Hex));
	}
	return Out;
}

void Mutate(FMessage& Data, const std::vector<FMessage>& Corpus, FRandom& Random)
{
	for (uint64_t Left = 1 + Random.Below(4); Left > 0; --Left)
	{
		const size_t At = Data.empty() ? 0 : Random.Below(Data.size());
		const FMessage& Other = Corpus[Random.Below(Corpus.size())];
		switch (Data.empty() ? 2 : Random.Below(5))
		{
			case 0:
				Data[At] = static_cast<uint8_t>(Random.Next());
				break;
			case 1:
				Data[At] ^= static_cast<uint8_t>(1u << Random.Below(8));
				break;
			case 2:
				Data.insert(Data.begin() + std::ptrdiff_t(At), static_cast<uint8_t>(Random.Next()));
				break;
			case 3:
				Data.resize(At);
				break;
			default:
				Data.resize(At);
				Data.insert(Data.end(), Other.begin() + std::ptrdiff_t(Random.Below(Other.size())), Other.end());
				break;
		}
	}
}

TEST_CASE("100,000 mutated messages neither crash nor get a session out of step")
{
	const std::vector<FMessage> Corpus = AllGoodMessages();
	REQUIRE(Corpus.size() > 60);
	FRandom Random{20240611};
	FRecordingHost Host;
	FSession Session({}, Host);
	FMessage Welcome, Again;
	Encode(FServerMessage(MakeWelcome()), Welcome);
	Session.Connect(0.0);
	Session.SocketOpened(0.0);
	Session.MessageReceived(View(Welcome), 0.0);
	int Decoded = 0;
	for (int Round = 0; Round < 100000; ++Round)
	{
		FMessage Data = Corpus[Random.Below(Corpus.size())];
		Mutate(Data, Corpus, Random);
		FClientMessage FromClient;
		FProtocolError Error;
		if (DecodeClient(View(Data), FromClient, Error))
		{
			++Decoded;
			Encode(FromClient, Again);
			REQUIRE(DecodeClient(View(Again), FromClient, Error));
		}
		Session.MessageReceived(View(Data), 0.001 * Round);
		Session.Tick(0.001 * Round);
		Host.Sent.clear();
		Host.Log.clear();
	}
	CHECK(Decoded > 1000);
	CHECK(Session.GetBadMessages() > 10000);
	CHECK(Session.GetState() == EConnection::Connected);
	CHECK(Session.GetCharacters().size() <= Limits::MaxCharacters);
}

TEST_CASE("a cursor reads every width and stops at the end")
{
	FMessage Data;
	FMsgpackWriter Writer(Data);
	const int64_t Values[] = {0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, -1, -32, -33, -128, -129,
		-32768, -32769, -2147483648LL, -2147483649LL};
	for (const int64_t Value : Values)
	{
		Data.clear();
		Writer.Integer(Value);
		FValue Read;
		for (size_t Size = 0; Size < Data.size(); ++Size)
		{
			CHECK(!FMsgpackCursor(FBytes(Data.data(), Size)).Read(Read));
		}
		REQUIRE(FMsgpackCursor(View(Data)).Read(Read));
		CHECK(Read.Integer == Value);
	}
}

TEST_CASE("lengths that promise more than there is cost no time and no memory")
{
	const FMessage Promise = FromHex("81a474797065ddffffffff");
	FClientMessage Message;
	FProtocolError Error;
	CHECK(!DecodeClient(View(Promise), Message, Error));
	CHECK(Error.Code == EErrorCode::Malformed);
}

TEST_CASE("invalid UTF-8 is told from valid")
{
	CHECK(CountCodePoints("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80") == 4);
	for (const char* Bad : {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8"})
	{
		CHECK(CountCodePoints(Bad) == -1);
	}
}

TEST_CASE("coordinates are those of the golden table, there and back")
{
	FCaseReader Cases("coordinates");
	REQUIRE(Cases.bOpen);
	std::string Target;
	int Count = 0;
	while (Cases.Next(Target))
	{
		double In[14];
		for (double& Number : In)
		{
			Number = Cases.Number();
		}
		++Count;
		const EAxes Axes = Target == "unity" ? EAxes::Unity
			: Target == "unreal_actor"       ? EAxes::UnrealActor
											 : EAxes::UnrealMesh;
		REQUIRE(ToText(Axes) == Target);
		const FVec3 Position = ToModel(Axes, FVec3{In[0], In[1], In[2]});
		const FQuaternion Rotation = ToModel(Axes, FQuaternion{In[3], In[4], In[5], In[6]});
		CHECK(Length(Position - FVec3{In[7], In[8], In[9]}) < 1e-9);
		CHECK(AngleBetween(Rotation, FQuaternion{In[10], In[11], In[12], In[13]}) < 1e-7);
		CHECK(Length(FromModel(Axes, Position) - FVec3{In[0], In[1], In[2]}) < 1e-9);
		CHECK(AngleBetween(FromModel(Axes, Rotation), FQuaternion{In[3], In[4], In[5], In[6]}) < 1e-7);
	}
	CHECK(Count >= 21);
}

} // namespace MotionBridge::Tests
