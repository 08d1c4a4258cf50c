"""The configuration: schema, strict decoding with every fault located, TOML and YAML, JSON Schema."""
