// libFuzzer target: any bytes, as a message in either direction and as a session receives them.
// clang++ -fsanitize=fuzzer,address,undefined; run it for as long as you like on a folder of protocol/vectors' .bin
// files.

#include "support.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* Data, size_t Size)
{
	using namespace MotionBridge;
	static Tests::FMessage Written;
	const FBytes Message(Data, Size);
	FProtocolError Error;
	FClientMessage FromClient;
	FServerMessage FromServer;
	if (DecodeClient(Message, FromClient, Error))
	{
		Encode(FromClient, Written);
		if (!DecodeClient(Tests::View(Written), FromClient, Error))
		{
			std::abort();
		}
	}
	if (DecodeServer(Message, FromServer, Error))
	{
		Encode(FromServer, Written);
		if (!DecodeServer(Tests::View(Written), FromServer, Error))
		{
			std::abort();
		}
	}
	static const Tests::FMessage Welcome = []
	{
		Tests::FMessage Out;
		Encode(FServerMessage(Tests::MakeWelcome()), Out);
		return Out;
	}();
	FSessionConfig Config;
	Config.BufferFrames = 16;
	Tests::FRecordingHost Host;
	FSession Session(Config, Host);
	Session.Connect(0.0);
	Session.SocketOpened(0.0);
	Session.MessageReceived(Tests::View(Welcome), 0.0);
	Session.MessageReceived(Message, 0.1);
	Session.Tick(0.2);
	return 0;
}
