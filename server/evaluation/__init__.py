"""What a body does in a motion, measured: is it the action that was asked for, and how clean is it."""
