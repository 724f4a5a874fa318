// A console client: MotionBridgeCore and Boost.Beast, in a process of its own. The end-to-end tests run it against a
// real server; it is also the shortest example of a program around the core.
//
//     console_client HOST PORT [ENCODING]
//
// Commands on standard input, one a line; everything that happens goes to standard output, one event a line:
//
// clang-format off
//     prompt CHARACTER ID SEED SECONDS MODE TEXT...  -> status ID STATUS [FRAME]; it holds its last pose
//     hold CHARACTER FRAME   the clock stands still there, at once or when it comes there  -> held FRAME
//     go                     the clock goes on
//     drop                   cuts the TCP connection without a close, as a network does
//     frames ID              -> frame ID INDEX HEX of every frame received for that prompt, then end
//     gaps                   -> gaps COUNT MEAN P50 P99 MAX, of shown poses and in milliseconds
//     quit
// clang-format on

#include "MotionBridgeCore/Session.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <deque>
#include <map>
#include <memory>
#include <sstream>
#include <thread>

namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;

using FStream = websocket::stream<asio::ip::tcp::socket>;

namespace
{

double RealTime()
{
	return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/** Time of a game whose frames take 1/30 s at most: a machine that stalls does not carry it on. */
double Now()
{
	static double Game = 0.0;
	static double Real = RealTime();
	const double Then = Real;
	Real = RealTime();
	Game += std::min(Real - Then, 1.0 / 30.0);
	return Game;
}

void Say(const std::string& Line)
{
	std::cout << Line << std::endl;
}

std::string ToHex(const MotionBridge::FPose& Pose)
{
	std::string Out;
	const auto Append = [&Out](const void* Data, size_t Size)
	{
		char Digits[3];
		for (size_t At = 0; At < Size; ++At)
		{
			std::snprintf(Digits, sizeof(Digits), "%02x", static_cast<const unsigned char*>(Data)[At]);
			Out += Digits;
		}
	};
	Append(Pose.Root, sizeof(Pose.Root));
	Append(Pose.Rotations, sizeof(Pose.Rotations));
	Append(&Pose.Contacts, 1);
	return Out;
}

/** Runs a session on the thread of an io_context, and keeps every frame by prompt and index. */
class FClient final : public MotionBridge::ISessionHost
{
public:
	FClient(asio::io_context& InContext, std::string InHost, std::string InPort, MotionBridge::FSessionConfig Config)
		: Context(InContext)
		, Host(std::move(InHost))
		, Port(std::move(InPort))
		, Session(std::move(Config), *this)
		, Timer(InContext)
	{
		Session.Connect(Now());
		Tick();
	}

	void OpenSocket() override
	{
		const uint64_t Ours = ++Generation;
		Socket = std::make_shared<FStream>(Context);
		auto Resolver = std::make_shared<asio::ip::tcp::resolver>(Context);
		Resolver->async_resolve(Host, Port,
			[this, Ours, Resolver, Stream = Socket](boost::system::error_code Error, const auto& Found)
			{
				if (Ours != Generation || Lost(Error))
				{
					return;
				}
				asio::async_connect(Stream->next_layer(), Found,
					[this, Ours, Stream](boost::system::error_code Failed, const asio::ip::tcp::endpoint&)
					{
						if (Ours == Generation && !Lost(Failed))
						{
							Greet(Ours, Stream);
						}
					});
			});
	}

	void SendBytes(MotionBridge::FBytes Message) override
	{
		Queue.emplace_back(Message.Data, Message.Data + Message.Size);
		if (Queue.size() == 1)
		{
			Write(Generation, Socket);
		}
	}

	void CloseSocket(int, std::string_view) override
	{
		++Generation;
		Queue.clear();
		boost::system::error_code Ignored;
		if (Socket)
		{
			Socket->next_layer().close(Ignored);
		}
	}

	void OnConnection(MotionBridge::EConnection State, std::string_view Detail) override
	{
		static const char* const Names[] = {"closed", "opening", "greeting", "connected", "waiting"};
		Say("connection " + std::string(Names[static_cast<int>(State)]) + " " + std::string(Detail));
	}
	void OnWelcome(const MotionBridge::FWelcome&, bool bContinues) override
	{
		Say(bContinues ? "welcome continues" : "welcome anew");
	}
	void OnPromptStatus(const MotionBridge::FPromptStatus& Message) override
	{
		Say("status " + Message.Id + " " + std::string(ToText(Message.Status)) +
			(Message.Frame ? " " + std::to_string(*Message.Frame) : ""));
	}
	void OnErrorMessage(const MotionBridge::FErrorMessage& Message) override
	{
		Say("error " + Message.Code + " " + Message.Message);
	}

	void Command(const std::string& Line)
	{
		std::istringstream Words(Line);
		std::string Name, Id;
		Words >> Name;
		if (Name == "prompt")
		{
			MotionBridge::FPrompt Prompt;
			int64_t Seed = 0;
			double Seconds = 0.0;
			std::string Mode;
			Words >> Prompt.Character >> Prompt.Id >> Seed >> Seconds >> Mode >> std::ws;
			std::getline(Words, Prompt.Text);
			Prompt.Seed = Seed;
			Prompt.Seconds = Seconds;
			Prompt.Mode = Mode == "queue" ? MotionBridge::EMode::Queue : MotionBridge::EMode::Replace;
			Prompt.OnEnd = MotionBridge::EOnEnd::Hold;
			MotionBridge::FProtocolError Error;
			if (!Session.Send(Prompt, Error))
			{
				Say("refused " + Error.Message);
			}
		}
		else if (Name == "hold")
		{
			Words >> HeldCharacter >> HeldFrame;
		}
		else if (Name == "go")
		{
			Session.FindCharacter(HeldCharacter)->SetPaused(false);
			// What came meanwhile is played before any more is sent: that gap is not one of the network's.
			Shown[HeldCharacter] = FShown();
			HeldCharacter.clear();
		}
		else if (Name == "drop")
		{
			boost::system::error_code Ignored;
			Socket->next_layer().close(Ignored);
		}
		else if (Name == "frames")
		{
			Words >> Id;
			for (const auto& [Index, Hex] : Frames[Id])
			{
				Say("frame " + Id + " " + std::to_string(Index) + " " + Hex);
			}
			Say("end");
		}
		else if (Name == "gaps")
		{
			SayGaps();
		}
		else if (Name == "quit")
		{
			Session.Disconnect();
			Context.stop();
		}
	}

private:
	void Greet(uint64_t Ours, const std::shared_ptr<FStream>& Stream)
	{
		boost::system::error_code Ignored;
		Stream->next_layer().set_option(asio::ip::tcp::no_delay(true), Ignored);
		Stream->set_option(websocket::stream_base::decorator([](websocket::request_type& Request)
			{ Request.set(boost::beast::http::field::sec_websocket_protocol, MotionBridge::Limits::Subprotocol); }));
		Stream->binary(true);
		Stream->read_message_max(MotionBridge::Limits::MaxMessageBytes);
		Stream->async_handshake(Host + ":" + Port, "/",
			[this, Ours, Stream](boost::system::error_code Error)
			{
				if (Ours == Generation && !Lost(Error))
				{
					Session.SocketOpened(Now());
					Read(Ours, Stream);
				}
			});
	}

	void Read(uint64_t Ours, const std::shared_ptr<FStream>& Stream)
	{
		Stream->async_read(Incoming,
			[this, Ours, Stream](boost::system::error_code Error, size_t)
			{
				if (Ours != Generation || Lost(Error))
				{
					return;
				}
				const asio::const_buffer Data = Incoming.cdata();
				const MotionBridge::FBytes Message(static_cast<const uint8_t*>(Data.data()), Data.size());
				Keep(Message);
				Session.MessageReceived(Message, Now());
				Incoming.consume(Incoming.size());
				if (Ours == Generation)
				{
					Read(Ours, Stream);
				}
			});
	}

	void Write(uint64_t Ours, const std::shared_ptr<FStream>& Stream)
	{
		Stream->async_write(asio::buffer(Queue.front()),
			[this, Ours, Stream](boost::system::error_code Error, size_t)
			{
				if (Ours != Generation || Lost(Error))
				{
					return;
				}
				Queue.pop_front();
				if (!Queue.empty())
				{
					Write(Ours, Stream);
				}
			});
	}

	bool Lost(boost::system::error_code Error)
	{
		if (!Error)
		{
			return false;
		}
		++Generation;
		Queue.clear();
		Incoming.consume(Incoming.size());
		const int Code = Socket && Error == websocket::error::closed ? int(Socket->reason().code) : 1006;
		Session.SocketClosed(Code, Error.message(), Now());
		return true;
	}

	/** What the buffer would forget. */
	void Keep(MotionBridge::FBytes Message)
	{
		MotionBridge::FServerMessage Decoded;
		MotionBridge::FProtocolError Error;
		if (!DecodeServer(Message, Decoded, Error))
		{
			Say("bad " + Error.Message);
			return;
		}
		if (const MotionBridge::FFrames* Run = std::get_if<MotionBridge::FFrames>(&Decoded))
		{
			for (int64_t Index = 0; Index < Run->Poses.Count; ++Index)
			{
				MotionBridge::FPose Pose;
				UnpackPose(Run->Poses, Index, Pose);
				Frames[std::string(Run->Prompt.value_or("idle"))][Run->First + Index] = ToHex(Pose);
			}
		}
	}

	void HoldClock()
	{
		MotionBridge::FCharacterStream* Stream = Session.FindCharacter(HeldCharacter);
		if (Stream && Stream->GetPlayback() != MotionBridge::EPlayback::Paused &&
			Stream->GetPlayhead() >= static_cast<double>(HeldFrame))
		{
			Stream->SetPaused(true);
			Say("held " + std::to_string(static_cast<int64_t>(Stream->GetPlayhead())));
		}
	}

	void Tick()
	{
		Session.Tick(Now());
		HoldClock();
		for (const auto& Stream : Session.GetCharacters())
		{
			FShown& Last = Shown[Stream->GetName()];
			const int64_t Frame = static_cast<int64_t>(Stream->GetPlayhead());
			if (Stream->GetPlayback() != MotionBridge::EPlayback::Playing)
			{
				Last = FShown();
			}
			else if (Frame != Last.Frame)
			{
				if (Last.Frame >= 0)
				{
					Gaps.push_back(1000.0 * (RealTime() - Last.At));
				}
				Last = {Frame, RealTime()};
			}
		}
		Timer.expires_after(std::chrono::milliseconds(4));
		Timer.async_wait(
			[this](boost::system::error_code Error)
			{
				if (!Error)
				{
					Tick();
				}
			});
	}

	void SayGaps()
	{
		std::vector<double> Sorted = Gaps;
		std::sort(Sorted.begin(), Sorted.end());
		double Sum = 0.0;
		for (const double Gap : Sorted)
		{
			Sum += Gap;
		}
		const auto At = [&Sorted](double Share)
		{ return Sorted.empty() ? 0.0 : Sorted[size_t(Share * double(Sorted.size() - 1))]; };
		char Line[160];
		std::snprintf(Line, sizeof(Line), "gaps %zu %.2f %.2f %.2f %.2f", Sorted.size(),
			Sum / std::max<double>(double(Sorted.size()), 1.0), At(0.5), At(0.99), At(1.0));
		Say(Line);
	}

	asio::io_context& Context;
	std::string Host;
	std::string Port;
	MotionBridge::FSession Session;
	asio::steady_timer Timer;
	std::shared_ptr<FStream> Socket;
	/** Handlers of sockets before the current one find another number here, and do nothing. */
	uint64_t Generation = 0;
	boost::beast::flat_buffer Incoming;
	std::deque<std::vector<uint8_t>> Queue;
	std::map<std::string, std::map<int64_t, std::string>> Frames;
	std::vector<double> Gaps;
	struct FShown
	{
		int64_t Frame = -1;
		double At = 0.0;
	};
	std::map<std::string, FShown> Shown;
	/** Whose clock is to stand still from which frame on; empty for none. */
	std::string HeldCharacter;
	int64_t HeldFrame = 0;
};

} // namespace

int main(int Count, char** Arguments)
{
	if (Count < 3)
	{
		std::cerr << "console_client HOST PORT [float32|int16]\n";
		return 2;
	}
	MotionBridge::FSessionConfig Config;
	Config.Url = std::string("ws://") + Arguments[1] + ":" + Arguments[2];
	Config.ClientName = "motionbridge-console";
	Config.Encoding = Count > 3 && std::string(Arguments[3]) == "int16" ? MotionBridge::EEncoding::Int16
																		: MotionBridge::EEncoding::Float32;
	asio::io_context Context;
	FClient Client(Context, Arguments[1], Arguments[2], Config);
	std::thread Reader(
		[&]()
		{
			std::string Line;
			while (std::getline(std::cin, Line))
			{
				asio::post(Context, [&Client, Line]() { Client.Command(Line); });
				if (Line == "quit")
				{
					return;
				}
			}
			asio::post(Context, [&Client]() { Client.Command("quit"); });
		});
	Context.run();
	Reader.join();
	return 0;
}
