using UnityEditor;
using UnityEditor.Animations;
using UnityEngine;

namespace MotionBridge.EditorTools
{
    /// <summary>Records what a character does, in Play mode, into an AnimationClip of its transforms.</summary>
    public sealed class ClipRecorder
    {
        private const float FramesPerSecond = 60.0f;
        private GameObjectRecorder recorder;
        private double lastTime;

        public bool IsRecording
        {
            get { return recorder != null; }
        }

        public float Seconds
        {
            get { return recorder == null ? 0.0f : recorder.currentTime; }
        }

        public void Begin(GameObject character)
        {
            recorder = new GameObjectRecorder(character);
            recorder.BindComponentsOfType<Transform>(character, true);
            lastTime = Time.timeAsDouble;
            EditorApplication.update += Snapshot;
        }

        /// <summary>Asks where to, and saves; recording ends either way.</summary>
        public void Save(string name)
        {
            var finished = recorder;
            Cancel();
            var path = EditorUtility.SaveFilePanelInProject(
                "Save animation clip", name + ".anim", "anim", "Where to save what was recorded");
            if (string.IsNullOrEmpty(path))
            {
                return;
            }
            var clip = new AnimationClip { frameRate = FramesPerSecond };
            finished.SaveToClip(clip, FramesPerSecond);
            AssetDatabase.CreateAsset(clip, AssetDatabase.GenerateUniqueAssetPath(path));
            AssetDatabase.SaveAssets();
            EditorGUIUtility.PingObject(clip);
        }

        /// <summary>Ends without saving.</summary>
        public void Cancel()
        {
            EditorApplication.update -= Snapshot;
            recorder = null;
        }

        private void Snapshot()
        {
            var now = Time.timeAsDouble;
            if (!EditorApplication.isPlaying)
            {
                Cancel();
            }
            else if (now > lastTime)
            {
                recorder.TakeSnapshot((float)(now - lastTime));
                lastTime = now;
            }
        }
    }
}
