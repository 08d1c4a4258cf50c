# The least that token-broker needs in Vault or OpenBao: one secret of a KV version 2 engine mounted at secret/.
# Put the path of your own secret in place of odc/deploy, a pair of lines for each, and write it under a name of its own:
#
#   vault policy write token-broker vault-policy.hcl
#
# No wildcard, no list, nothing that writes: a broker that is taken over can read these secrets and nothing else.

# The value, read for each mint.
path "secret/data/odc/deploy" {
  capabilities = ["read"]
}

# Its version, read every minute, to notice a rotation without reading the value.
path "secret/metadata/odc/deploy" {
  capabilities = ["read"]
}

# Its own Vault token: is it alive (to tell a dead token from a missing policy), renew it, revoke it (revoke_on_exit).
# Vault's policy "default" allows these as well; here they are for roles with token_no_default_policy = true.
path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
