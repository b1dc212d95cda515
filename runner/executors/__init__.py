"""Where and how a handler is called: `submit`, `finished`, `room`."""
