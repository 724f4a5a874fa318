using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// What a character has been told and its prompts do not change: steering, root motion, pause. A session begun anew knows nothing
    /// of it, and is told again.
    /// </summary>
    internal sealed class CharacterSettings
    {
        private readonly string character;
        private Steering steering = new Steering(null, null, null);
        private Place left = new Place(new Vec3(), 0.0);
        private bool staysInPlace;

        public CharacterSettings(string character)
        {
            this.character = character;
        }

        public string Character
        {
            get { return character; }
        }

        public bool IsPaused { get; private set; }

        /// <summary>Whether it holds its last pose when no prompt is left, and needs no server for that.</summary>
        public bool HoldsAtEnd { get; set; }

        /// <summary>Whether the session has not been told of the steering.</summary>
        public bool IsSteeringDue { get; private set; }

        /// <summary>Whether its place matters: for steering that is due, or for way-points that it may reach.</summary>
        public bool NeedsPlace
        {
            get { return IsSteeringDue || steering.IsAlongPath; }
        }

        /// <summary>The session has been told to steer.</summary>
        public void Steer(Steering asked)
        {
            steering = asked;
            IsSteeringDue = false;
        }

        /// <summary>The session has been told an action of <c>control</c>.</summary>
        public void Control(string action)
        {
            switch (action)
            {
                case "pause":
                case "resume":
                    IsPaused = action == "pause";
                    break;
                case "root_motion_on":
                case "root_motion_off":
                    staysInPlace = action == "root_motion_off";
                    break;
                case "stop":
                    HoldsAtEnd = false;
                    break;
            }
        }

        /// <summary>Another session has begun.</summary>
        public void SessionLost()
        {
            IsSteeringDue = steering.IsAny;
        }

        /// <summary>Its old timeline ends at a place of that timeline's axes.</summary>
        public void Leave(Place place)
        {
            left = place;
        }

        /// <summary>The actions of <c>control</c> that its new timeline needs.</summary>
        public IEnumerable<string> ActionsDue()
        {
            if (staysInPlace)
            {
                yield return "root_motion_off";
            }
            if (IsPaused)
            {
                yield return "pause";
            }
        }

        /// <summary>The <c>steer</c> that is due, now that it stands at a place of its new timeline.</summary>
        public Fields SteeringAt(Place place)
        {
            steering = steering.Moved(left, place);
            left = place;
            return steering.ToFields(character);
        }

        /// <summary>The steering that was due has been sent.</summary>
        public void SteeringSent()
        {
            IsSteeringDue = false;
        }

        /// <summary>It stands at a place now.</summary>
        public void PassAt(Place place)
        {
            steering.PassAt(place.Point);
        }
    }
}
