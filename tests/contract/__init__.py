"""The contract classes put to our own plug-ins, and what only these plug-ins promise."""
