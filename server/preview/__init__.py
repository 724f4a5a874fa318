"""The browser preview: a page (viser) in a process of its own that is a client of the server like any other."""
