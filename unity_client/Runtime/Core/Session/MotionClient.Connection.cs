using System;

namespace MotionBridge
{
    /// <content>The state machine: open, greet, notice that it is lost, wait, try again.</content>
    public sealed partial class MotionClient
    {
        private static readonly int[] FinalCodes =
        {
            CloseCodes.Unauthorized, CloseCodes.VersionMismatch, CloseCodes.HelloRequired, CloseCodes.ResumedElsewhere,
        };

        private void Open()
        {
            Problem = "";
            try
            {
                transport = open(options.Url);
            }
            catch (ArgumentException error)
            {
                Problem = error.Message;
                SetState(ConnectionState.Failed);
                return;
            }
            deadline = clock + options.OpenTimeout;
            SetState(ConnectionState.Connecting);
        }

        private void Greet()
        {
            var resume = Welcome == null ? null : Welcome.Resume;
            var hello = new Fields().With("version", Limits.ProtocolVersion).With("client", options.ClientName)
                .With("client_version", options.ClientVersion).With("frame_rate", options.FrameRate)
                .With("encoding", options.Int16 ? "int16" : "float32")
                .With("token", string.IsNullOrEmpty(options.Token) ? null : options.Token)
                .With("resume", resume).With("received", resume == null ? null : (object)received);
            SetState(ConnectionState.Greeting);
            Write("hello", hello);
            deadline = clock + options.OpenTimeout;
        }

        private void CheckConnection()
        {
            if (transport == null)
            {
                return;
            }
            if (transport.State == TransportState.Closed)
            {
                Lost(transport.CloseCode, transport.CloseReason);
            }
            else if (State == ConnectionState.Connecting && transport.State == TransportState.Open)
            {
                Greet();
            }
            else if (State == ConnectionState.Connected)
            {
                // A character that has just run dry, after a pause perhaps, gets the whole time-out.
                fedAt = IsAnyStarving() ? fedAt : clock;
                if (clock - Math.Max(lastHeard, fedAt) > options.SilenceTimeout)
                {
                    Lost(CloseCodes.Abnormal, "nothing heard from the server for " + options.SilenceTimeout + " s");
                }
            }
            else if (clock >= deadline)
            {
                Lost(CloseCodes.Abnormal, "no answer within " + options.OpenTimeout + " s");
            }
        }

        private bool IsAnyStarving()
        {
            for (var i = 0; i < streams.Count; i++)
            {
                if (streams[i].IsStarving)
                {
                    return true;
                }
            }
            return false;
        }

        private void Lost(int code, string reason)
        {
            var neverOpened = State == ConnectionState.Connecting;
            transport.Dispose();
            transport = null;
            FailRequests("the connection was lost");
            Problem = Advice.For(code, reason, options.Url, neverOpened);
            var final = Array.IndexOf(FinalCodes, code) >= 0;
            if (final || !options.Reconnect)
            {
                SessionLost(false);
                if (final)
                {
                    EndStreams();
                    Welcome = null;
                }
                SetState(final ? ConnectionState.Failed : ConnectionState.Disconnected);
                return;
            }
            deadline = clock + backoff.Next();
            SetState(ConnectionState.WaitingToRetry);
        }

        private void SendWaitingPrompts()
        {
            if (!prompts.HasWaiting)
            {
                return;
            }
            foreach (var handle in prompts.TakeWaiting())
            {
                if (!Write("prompt", handle.FieldsWithMode(handle.Queue)))
                {
                    return;
                }
                handle.MarkSent(clock);
                Announce(PromptChanged, handle);
            }
        }

        private void ReportPlayheads()
        {
            for (var i = 0; i < streams.Count; i++)
            {
                long frame;
                int buffered;
                if (streams[i].TakeReport(options.PlayheadInterval, out frame, out buffered))
                {
                    PlayheadWriter.Write(writer, streams[i].NameUtf8, frame, buffered);
                    transport.Send(writer.Buffer, writer.Count);
                }
            }
        }
    }
}
