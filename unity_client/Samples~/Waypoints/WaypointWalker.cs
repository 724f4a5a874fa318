using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.Samples
{
    /// <summary>
    /// Walks from way-point to way-point by steering a walk. Needs a server whose <c>welcome.supports</c> has <c>steer</c>; without it
    /// the character walks where its motion leads.
    /// </summary>
    public sealed class WaypointWalker : MonoBehaviour
    {
        [SerializeField]
        private MotionCharacter character;

        [SerializeField]
        private Transform[] waypoints = new Transform[0];

        [SerializeField]
        private string walk = "a person walks forward";

        [Tooltip("Metres per second.")]
        [SerializeField]
        private float speed = 1.2f;

        [Tooltip("Metres from a way-point at which the next one is headed for.")]
        [SerializeField]
        private float near = 0.5f;

        [Tooltip("Seconds between two corrections.")]
        [SerializeField]
        private float interval = 0.2f;

        private int target;
        private float wait;

        private void Start()
        {
            character.Travel = TravelMode.RootMotion;
            character.SendPrompt(walk, new PromptOptions { OnEnd = "repeat" });
        }

        private void Update()
        {
            wait -= Time.deltaTime;
            if (waypoints.Length == 0 || wait > 0.0f)
            {
                return;
            }
            wait = interval;
            var way = waypoints[target].position - character.transform.position;
            way.y = 0.0f;
            if (way.magnitude < near)
            {
                target = (target + 1) % waypoints.Length;
                return;
            }
            character.SteerToward(way, speed);
        }
    }
}
