"""The promises of secret backends, by what they are about; `secret_backend_contract` puts them together."""
