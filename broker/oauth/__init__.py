"""OAuth 2.0 as values: requests are built and answers are judged here, without any I/O."""
