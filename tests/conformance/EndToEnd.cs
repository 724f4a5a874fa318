using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using MotionBridge;

/// <summary>
/// The core client in a process of its own, against a real server. It writes "drop" to standard output where the test is to cut the
/// connection, and each prompt's frames, as float 32, to a file NAME.bin of the folder. Arguments: URL, folder, and whether the
/// server resumes ("resumed") or sessions start anew ("anew").
/// </summary>
public static class EndToEnd
{
    private const double Step = 1.0 / 60.0;
    private const double Patience = 600.0;
    private static readonly Stopwatch Watch = Stopwatch.StartNew();
    private static readonly List<double> Gaps = new List<double>();
    private static MotionClient client;
    private static ITransport transport;
    private static string folder;
    private static double last;
    private static long frames;
    private static double heardAt;

    public static int Main(string[] arguments)
    {
        folder = arguments[1];
        var options = new ClientOptions { Url = arguments[0], LeastRetry = 0.1 };
        client = new MotionClient(options, url => transport = new WebSocketTransport(url), new Random(1));
        client.StateChanged += state => Console.WriteLine("state " + state + " " + client.Problem);
        client.Connect();
        if (arguments[2] == "resumed")
        {
            PlayOneTimeline();
        }
        else
        {
            PlayThreeTimelines();
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

    /// <summary>Three prompts at once, the connection cut within the first and within the third.</summary>
    private static void PlayOneTimeline()
    {
        var first = Send("a person walks", 11);
        var second = Send("a person waves", 12, true);
        var third = Send("a person bows", 13, true);
        DropWithin(first);
        Save("first", first);
        Save("second", second);
        DropWithin(third);
        Save("third", third);
    }

    /// <summary>Each prompt in a session of its own, because the connection is cut before the second and within the third.</summary>
    private static void PlayThreeTimelines()
    {
        Save("first", Send("a person walks", 11));
        Drop();
        Save("second", Send("a person waves", 12));
        var third = Send("a person bows", 13);
        DropWithin(third);
        Save("third", third);
    }

    private static PromptHandle Send(string text, long seed, bool queue = false)
    {
        return client.SendPrompt(
            text, "main", new PromptOptions { Seconds = 2.0, Seed = seed, OnEnd = "hold", Queue = queue });
    }

    private static void DropWithin(PromptHandle handle)
    {
        Until(() =>
        {
            var stream = client.Find("main");
            return stream != null && stream.PromptShown == handle.Id && stream.Clock.Position > handle.StartFrame + 12.0;
        });
        Drop();
    }

    private static void Drop()
    {
        Console.WriteLine("drop");
        Until(() => client.State == ConnectionState.WaitingToRetry);
    }

    private static void Save(string name, PromptHandle handle)
    {
        Until(() => handle.IsDone && client.Find("main").Clock.Position >= handle.EndFrame - 1);
        if (handle.State != PromptState.Finished)
        {
            throw new InvalidOperationException(name + " is " + handle.State + ": " + handle.Reason);
        }
        Console.WriteLine(name + " " + handle.StartFrame + " " + handle.EndFrame);
        var pose = new Pose();
        using (var file = new BinaryWriter(File.Create(Path.Combine(folder, name + ".bin"))))
        {
            for (var frame = handle.StartFrame.Value; frame < handle.EndFrame.Value; frame++)
            {
                client.Find("main").Buffer.Read(frame, pose);
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
            client.Update(now - last);
            last = now;
            Measure(now);
            Thread.Sleep(TimeSpan.FromSeconds(Step));
        }
    }

    private static void Measure(double now)
    {
        var stream = client.Find("main");
        if (stream == null || stream.FramesReceived == frames)
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
}
