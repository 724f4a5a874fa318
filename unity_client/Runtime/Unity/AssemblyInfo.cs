using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("MotionBridge.Unity.Tests")]
