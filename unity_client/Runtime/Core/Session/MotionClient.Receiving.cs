using System;

namespace MotionBridge
{
    /// <content>What each message from the server does.</content>
    public sealed partial class MotionClient
    {
        private void Receive()
        {
            ByteSlice message;
            while (transport != null && transport.TryReceive(out message))
            {
                lastHeard = clock;
                // What comes before the welcome is not of the session; what cannot be read has arrived all the same.
                received += State == ConnectionState.Connected ? 1 : 0;
                try
                {
                    FramesView frames;
                    if (FramesReader.TryRead(message.Data, message.Offset, message.Count, out frames))
                    {
                        Take(ref frames);
                        continue;
                    }
                    var decoded = Codec.Decode(message.Data, message.Offset, message.Count, Schemas.FromServer);
                    Take(decoded.Type, decoded.Fields);
                }
                catch (ProtocolException error)
                {
                    // A type of a later version is no fault: readers ignore it.
                    BadMessages += error.Code == ErrorCodes.UnknownType ? 0 : 1;
                }
            }
        }

        private void Take(ref FramesView frames)
        {
            for (var i = 0; i < streams.Count; i++)
            {
                if (streams[i].IsNamed(frames.Character))
                {
                    if (streams[i].Exists)
                    {
                        streams[i].Take(ref frames);
                    }
                    return;
                }
            }
        }

        private void Take(string type, Fields fields)
        {
            switch (type)
            {
                case "welcome":
                    TakeWelcome(fields);
                    break;
                case "prompt_status":
                    TakeStatus(fields);
                    break;
                case "clip":
                    FinishRequest(fields.Get<string>("id"), new Clip(fields), null);
                    break;
                case "error":
                    TakeError(new ServerError(fields));
                    break;
                case "stats":
                    Announce(StatsReceived, new ServerStats(fields));
                    break;
            }
        }

        private void TakeWelcome(Fields fields)
        {
            if (State != ConnectionState.Greeting)
            {
                return;
            }
            Welcome welcome;
            try
            {
                welcome = new Welcome(fields);
            }
            catch (ArgumentException error)
            {
                Lost(CloseCodes.VersionMismatch, error.Message);
                return;
            }
            var again = Sessions > 0;
            Welcome = welcome;
            Sessions += welcome.Resumed ? 0 : 1;
            received = welcome.Resumed ? received : 0;
            backoff.Reset();
            Problem = "";
            if (welcome.Resumed)
            {
                SessionResumed();
                KeepOnly(welcome.Characters);
            }
            else if (again)
            {
                SessionLost(options.Restore);
                if (options.Restore)
                {
                    RestoreIdleCharacters();
                }
                EndStreams();
            }
            SetState(ConnectionState.Connected);
            Announce(Welcomed, welcome);
        }

        private void TakeStatus(Fields status)
        {
            var character = status.Get<string>("character");
            var handle = prompts.Find(status.Get<string>("id"));
            if (status.Get<string>("status") == "accepted")
            {
                RoundTrip = handle == null ? RoundTrip : clock - handle.SentAt;
                var stream = Find(character);
                if (stream == null || !stream.Exists)
                {
                    Begin(character);
                }
            }
            if (handle != null)
            {
                handle.Take(status);
                Announce(PromptChanged, handle);
                prompts.Prune();
            }
        }

        private void TakeError(ServerError error)
        {
            foreach (var handle in prompts.FindSent(error.Id))
            {
                // A prompt sent again may have reached the server before the connection was lost.
                var known = error.Code == ErrorCodes.DuplicateId && handle.SentAgain;
                handle.Set(known ? PromptState.Accepted : PromptState.Refused, known ? null : error.Message);
                Announce(PromptChanged, handle);
            }
            prompts.Prune();
            if (error.Id != null)
            {
                FinishRequest(error.Id, null, error.Message);
            }
            if (error.Code == ErrorCodes.UnknownCharacter && Find(error.Character) == null)
            {
                Forget(error.Character);
            }
            if (State == ConnectionState.Greeting)
            {
                Problem = error.Message;
            }
            Announce(ErrorReceived, error);
        }

        private void Begin(string character)
        {
            var stream = Find(character);
            if (stream == null)
            {
                if (streams.Count >= Limits.MaxCharacters)
                {
                    return;
                }
                stream = new CharacterStream(character, options.BufferFrames, Welcome.Lead, Welcome.FrameRate);
                streams.Add(stream);
            }
            LeaveTimeline(stream);
            stream.Begin();
            RestoreControls(stream);
            Announce(CharacterBegan, stream);
        }

        private void KeepOnly(string[] characters)
        {
            foreach (var stream in streams)
            {
                if (Array.IndexOf(characters, stream.Name) < 0)
                {
                    stream.End();
                }
            }
        }

        private void EndStreams()
        {
            foreach (var stream in streams)
            {
                stream.End();
            }
        }
    }
}
