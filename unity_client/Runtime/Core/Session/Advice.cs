using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>What to tell people when a connection ends: what happened, and what to do.</summary>
    public static class Advice
    {
        private static readonly Dictionary<int, string> ByCode = new Dictionary<int, string>
        {
            { CloseCodes.GoingAway, "The server is shutting down." },
            { CloseCodes.Unauthorized, "The server wants another token: enter the one it was started with (motionbridge serve --token)." },
            { CloseCodes.VersionMismatch, "This server and this package speak different protocol versions: update the older one." },
            { CloseCodes.HelloRequired, "The server did not understand our greeting: update the server." },
            { CloseCodes.TooManyErrors, "The server refused too many of our messages; see the errors before this one." },
            { CloseCodes.TooBig, "A message was too big." },
            { CloseCodes.MessageTooBig, "A message was too big." },
            { CloseCodes.ResumedElsewhere, "Another client has taken this session over." },
            { CloseCodes.TooSlow, "We did not read fast enough; the game was probably stopped in a debugger." },
            { CloseCodes.ServerFull, "The server has no room for another connection; stop one, or raise its --max-connections." },
            { CloseCodes.TooManyConnections, "Our token allows no more connections: close another one, or ask for a higher limit." },
            { CloseCodes.SessionExpired, "The session lasted as long as our token allows; a new one begins." },
        };

        /// <summary>A sentence or two for a close code; <paramref name="reason"/> is what the server or the system said.</summary>
        public static string For(int code, string reason, string url, bool neverOpened)
        {
            string text;
            if (!ByCode.TryGetValue(code, out text))
            {
                text = neverOpened
                    ? "No MotionBridge server answers at " + url + ". Start one with `motionbridge serve`, or correct the URL."
                    : "The connection to " + url + " was lost.";
            }
            return string.IsNullOrEmpty(reason) ? text : text + " (" + reason + ")";
        }
    }
}
