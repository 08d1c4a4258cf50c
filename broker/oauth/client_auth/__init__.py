"""Client authentication methods, one file each, named by the registered value."""
