using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using MotionBridge;

/// <summary>
/// The core client in a process of its own, against a real server. It writes "drop" to standard output where the test is to cut the
/// connection, and each sentence's frames to a file NAME.bin of the folder: index (int 64), contacts (a byte), root and rotations
/// (float 32). Arguments: URL, folder, and whether the server resumes ("resumed") or sessions start anew ("anew"); then name, text,
/// seed, seconds and standstill (reference_stream.py) of each of two sentences.
/// </summary>
public static class EndToEnd
{
    private const double Step = 1.0 / 60.0;
    private const double Patience = 1800.0;
    private static readonly Stopwatch Watch = Stopwatch.StartNew();
    private static readonly List<double> Gaps = new List<double>();
    private static MotionClient client;
    private static ITransport transport;
    private static string folder;
    private static bool standsStill;
    private static double last;
    private static long frames;
    private static double heardAt;
    private static long heldBack;

    public static int Main(string[] arguments)
    {
        folder = arguments[1];
        var first = new Sentence(arguments, 3);
        var second = new Sentence(arguments, 8);
        var options = new ClientOptions { Url = arguments[0], LeastRetry = 0.1 };
        client = new MotionClient(options, url => transport = new WebSocketTransport(url), new Random(1));
        client.StateChanged += state => Console.WriteLine("state " + state + " " + client.Problem);
        client.Connect();
        Until(() => client.State == ConnectionState.Connected);
        if (arguments[2] == "resumed")
        {
            PlayOneTimeline(first, second);
        }
        else
        {
            PlayTimelinesOfTheirOwn(first, second);
        }

        Gaps.Sort();
        Console.WriteLine("sessions " + client.Sessions);
        Console.WriteLine("bad " + client.BadMessages);
        Console.WriteLine("gaps_ms " + string.Join(" ", new[] { 0.5, 0.99, 1.0 }.Select(
            share => (1000.0 * Gaps[(int)(share * (Gaps.Count - 1))]).ToString("F1")).ToArray()));
        client.Close();
        while (transport.State != TransportState.Closed)
        {
            Thread.Sleep(TimeSpan.FromSeconds(Step));
        }
        return 0;
    }

    /// <summary>The connection is cut between the sentences, and again within the second.</summary>
    private static void PlayOneTimeline(Sentence first, Sentence second)
    {
        var walk = Send(first);
        Until(() => IsBeyond(walk, first.Standstill));
        standsStill = true;
        Drop();
        Until(() => client.State == ConnectionState.Connected);
        var wave = Send(second, true);
        Until(() => wave.State >= PromptState.Started);
        standsStill = false;
        Until(() => IsBeyond(wave, 12));
        Drop();
        Save(first, walk);
        Save(second, wave);
    }

    /// <summary>As <see cref="PlayOneTimeline"/>, where each cut ends the session: what was not over begins again, at frame 0.</summary>
    private static void PlayTimelinesOfTheirOwn(Sentence first, Sentence second)
    {
        Save(first, Send(first));
        Drop();
        var wave = Send(second);
        Until(() => IsBeyond(wave, 12));
        Drop();
        Save(second, wave);
    }

    private static PromptHandle Send(Sentence sentence, bool queue = false)
    {
        return client.SendPrompt(sentence.Text, "main", new PromptOptions
        {
            Seconds = sentence.Seconds, Seed = sentence.Seed, OnEnd = "hold", Queue = queue,
        });
    }

    private static bool IsBeyond(PromptHandle handle, long frame)
    {
        var stream = client.Find("main");
        return stream != null && stream.PromptShown == handle.Id && stream.Clock.Position >= handle.StartFrame + frame;
    }

    private static void Drop()
    {
        Console.WriteLine("drop");
        Until(() => client.State == ConnectionState.WaitingToRetry);
    }

    private static void Save(Sentence sentence, PromptHandle handle)
    {
        Until(() => handle.IsDone && client.Find("main").Clock.Position >= handle.EndFrame - 1);
        if (handle.State != PromptState.Finished)
        {
            throw new InvalidOperationException(sentence.Name + " is " + handle.State + ": " + handle.Reason);
        }
        Console.WriteLine(sentence.Name + " " + handle.StartFrame + " " + handle.EndFrame);
        var pose = new Pose();
        var buffer = client.Find("main").Buffer;
        using (var file = new BinaryWriter(File.Create(Path.Combine(folder, sentence.Name + ".bin"))))
        {
            for (var frame = handle.StartFrame.Value; frame < handle.EndFrame.Value; frame++)
            {
                if (buffer.Prompt(frame) != handle.Id)
                {
                    continue;
                }
                buffer.Read(frame, pose);
                file.Write(frame);
                file.Write(pose.Contacts);
                Write(file, pose.Root.X, pose.Root.Y, pose.Root.Z);
                foreach (var q in pose.Rotations)
                {
                    Write(file, q.X, q.Y, q.Z, q.W);
                }
            }
        }
    }

    private static void Write(BinaryWriter file, params double[] values)
    {
        foreach (var value in values)
        {
            file.Write((float)value);
        }
    }

    private static void Until(Func<bool> reached)
    {
        var deadline = Watch.Elapsed.TotalSeconds + Patience;
        while (!reached())
        {
            var now = Watch.Elapsed.TotalSeconds;
            if (now > deadline || client.State == ConnectionState.Failed)
            {
                throw new TimeoutException("still " + client.State + ": " + client.Problem);
            }
            // Never far at once, so that a machine that stalls does not carry the clock beyond where it is to stand still.
            client.Update(now - last, standsStill ? 0.0 : Math.Min(now - last, 2.0 * Step));
            last = now;
            Measure(now);
            Thread.Sleep(TimeSpan.FromSeconds(Step));
        }
    }

    /// <summary>Time between messages with frames while they flow: not over a cut, nor while what came in a standstill is played.</summary>
    private static void Measure(double now)
    {
        var stream = client.Find("main");
        if (stream == null || client.State != ConnectionState.Connected)
        {
            frames = 0;
            return;
        }
        heldBack = standsStill ? stream.Buffer.Newest : heldBack;
        if (stream.Clock.Position < heldBack)
        {
            frames = 0;
            return;
        }
        if (stream.FramesReceived == frames)
        {
            return;
        }
        if (stream.FramesReceived > frames && frames > 0)
        {
            Gaps.Add(now - heardAt);
        }
        frames = stream.FramesReceived;
        heardAt = now;
    }

    private sealed class Sentence
    {
        public readonly string Name;
        public readonly string Text;
        public readonly long Seed;
        public readonly double Seconds;
        public readonly long Standstill;

        public Sentence(string[] arguments, int at)
        {
            Name = arguments[at];
            Text = arguments[at + 1];
            Seed = long.Parse(arguments[at + 2]);
            Seconds = double.Parse(arguments[at + 3], CultureInfo.InvariantCulture);
            Standstill = long.Parse(arguments[at + 4]);
        }
    }
}
