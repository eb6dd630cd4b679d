"""The command line from outside. A failure here means: what scripts and people rely on when they type has changed."""
