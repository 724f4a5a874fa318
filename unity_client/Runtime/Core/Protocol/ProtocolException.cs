using System;

namespace MotionBridge
{
    /// <summary>The values of <c>error.code</c> that this client gives or acts on (SPEC.md, "Errors").</summary>
    public static class ErrorCodes
    {
        public const string Malformed = "malformed";
        public const string UnknownType = "unknown_type";
        public const string InvalidField = "invalid_field";
        public const string UnknownCharacter = "unknown_character";
        public const string DuplicateId = "duplicate_id";
        public const string TooBig = "too_big";
    }

    /// <summary>WebSocket close codes (SPEC.md, "Close codes").</summary>
    public static class CloseCodes
    {
        public const int Normal = 1000;
        public const int GoingAway = 1001;
        public const int Abnormal = 1006;
        public const int MessageTooBig = 1009;
        public const int Unauthorized = 4001;
        public const int VersionMismatch = 4002;
        public const int HelloRequired = 4003;
        public const int TooManyErrors = 4008;
        public const int TooBig = 4009;
        public const int ResumedElsewhere = 4010;
        public const int TooSlow = 4011;
        public const int ServerFull = 4013;
        public const int TooManyConnections = 4014;
        public const int SessionExpired = 4015;
    }

    /// <summary>A message that breaks the protocol.</summary>
    public sealed class ProtocolException : Exception
    {
        public ProtocolException(string code, string message, string field = null, string requestId = null)
            : base(message)
        {
            Code = code;
            Field = field;
            RequestId = requestId;
        }

        /// <summary>One of <see cref="ErrorCodes"/>.</summary>
        public string Code { get; private set; }

        /// <summary>Path of the field at fault, such as <c>prompts[1].text</c>; null when it is the whole message.</summary>
        public string Field { get; private set; }

        /// <summary>The <c>id</c> of the message at fault, when it could be read.</summary>
        public string RequestId { get; private set; }
    }
}
