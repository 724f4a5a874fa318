"""Engines on other machines, by Ray Serve; sessions that go from server to server. Ray is imported only here."""
