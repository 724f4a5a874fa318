using System.Collections.Generic;

namespace MotionBridge
{
    /// <summary>
    /// The prompts that are not over, in the order in which they were sent. After a lost session it knows what to say again: for each
    /// character the first as <c>replace</c>, those after it as <c>queue</c>.
    /// </summary>
    internal sealed class PromptBook
    {
        private readonly List<PromptHandle> open = new List<PromptHandle>();

        public void Add(PromptHandle handle)
        {
            open.Add(handle);
        }

        public PromptHandle Find(string id)
        {
            return open.Find(handle => handle.Id == id);
        }

        /// <summary>Whether any prompt of a character is not over.</summary>
        public bool HasAny(string character)
        {
            return open.Exists(handle => handle.Character == character && !handle.IsDone);
        }

        /// <summary>The prompts sent, and not answered yet, under this id of their own or of their timeline.</summary>
        public List<PromptHandle> FindSent(string id)
        {
            return open.FindAll(
                handle => id != null && handle.State == PromptState.Sent && (handle.Id == id || handle.Group == id));
        }

        /// <summary>Forgets prompts that are over.</summary>
        public void Prune()
        {
            open.RemoveAll(handle => handle.IsDone);
        }

        /// <summary>The session goes on: what never reached the server, or may not have, waits to be sent again.</summary>
        public void SessionResumed()
        {
            foreach (var handle in open)
            {
                if (handle.State == PromptState.Sent)
                {
                    handle.Set(PromptState.Waiting);
                }
            }
        }

        /// <summary>The session is gone: all that was under way waits to be sent again, or ends.</summary>
        public void SessionLost(bool again)
        {
            var first = new HashSet<string>();
            foreach (var handle in open.ToArray())
            {
                if (handle.IsDone)
                {
                    continue;
                }
                if (handle.State != PromptState.Waiting && !again)
                {
                    handle.Set(PromptState.Cancelled, "the connection was lost");
                    continue;
                }
                if (handle.State != PromptState.Waiting)
                {
                    handle.FieldsWithMode(!first.Add(handle.Character));
                    handle.Set(PromptState.Waiting);
                }
            }
            Prune();
        }

        /// <summary>The prompts that wait to be sent, oldest first.</summary>
        public List<PromptHandle> TakeWaiting()
        {
            return open.FindAll(handle => handle.State == PromptState.Waiting);
        }

        /// <summary>Whether any prompt waits to be sent.</summary>
        public bool HasWaiting
        {
            get
            {
                foreach (var handle in open)
                {
                    if (handle.State == PromptState.Waiting)
                    {
                        return true;
                    }
                }
                return false;
            }
        }

        /// <summary>Ends all prompts of a character.</summary>
        public void Cancel(string character, string reason)
        {
            foreach (var handle in open.FindAll(each => each.Character == character && !each.IsDone))
            {
                handle.Set(PromptState.Cancelled, reason);
            }
            Prune();
        }

        /// <summary>Ends what has not reached the server, when the user closes.</summary>
        public void Close()
        {
            foreach (var handle in open.ToArray())
            {
                if (!handle.IsDone)
                {
                    handle.Set(PromptState.Cancelled, "the connection was closed");
                }
            }
            open.Clear();
        }
    }
}
