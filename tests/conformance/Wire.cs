using System;
using System.Diagnostics;
using System.Threading;
using MotionBridge;

/// <summary>Connects, asks for one character, and says what happens until the connection has failed for good.</summary>
public static class Wire
{
    public static int Main(string[] arguments)
    {
        var client = new MotionClient(
            new ClientOptions { Url = arguments[0], LeastRetry = 0.05 }, url => new WebSocketTransport(url), new Random(1));
        client.StateChanged += state => Console.WriteLine("state " + state + " " + client.Problem);
        client.SendPrompt("a person walks", "hero");
        client.Connect();
        var watch = Stopwatch.StartNew();
        long newest = -1;
        while (client.State != ConnectionState.Failed && watch.Elapsed.TotalSeconds < 600.0)
        {
            client.Update(0.01);
            var stream = client.Find("hero");
            if (stream != null && stream.Buffer.Newest > newest)
            {
                newest = stream.Buffer.Newest;
                Console.WriteLine("newest " + newest);
            }
            Thread.Sleep(5);
        }
        Console.WriteLine("bad " + client.BadMessages);
        client.Dispose();
        return 0;
    }
}
