using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("MotionBridge.Core.Tests")]
[assembly: InternalsVisibleTo("MotionBridge.Unity.Tests")]
