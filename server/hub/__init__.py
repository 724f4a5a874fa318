"""Published models: which there are, and how they come onto this machine."""
