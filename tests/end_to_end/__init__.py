"""The daemon as a process against real servers, from the secret backend to the token's readers."""
