"""Programs that read a published file, unmodified, while the token in it is replaced again and again."""
