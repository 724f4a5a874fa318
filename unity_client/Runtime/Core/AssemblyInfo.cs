using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("MotionBridge.Core.Tests")]
