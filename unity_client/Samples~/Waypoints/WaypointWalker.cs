using System;
using MotionBridge.Unity;
using UnityEngine;

namespace MotionBridge.Samples
{
    /// <summary>
    /// Walks round after round through way-points. Needs a server whose <c>welcome.supports</c> has <c>steer</c>; without it the
    /// character walks where its motion leads.
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

        [Tooltip("Metres from the last way-point at which the next round begins; the server's own measure is half a metre.")]
        [SerializeField]
        private float near = 0.75f;

        private bool wasNear;
        private bool isDue = true;

        private void Start()
        {
            character.Travel = TravelMode.RootMotion;
            character.SendPrompt(walk, new PromptOptions { OnEnd = "repeat" });
        }

        private void Update()
        {
            if (waypoints.Length == 0)
            {
                return;
            }
            var way = waypoints[waypoints.Length - 1].position - character.transform.position;
            way.y = 0.0f;
            var isNear = way.magnitude < near;
            isDue |= isNear && !wasNear;
            wasNear = isNear;
            if (isDue)
            {
                isDue = !character.WalkTo(speed, Array.ConvertAll(waypoints, point => point.position));
            }
        }
    }
}
