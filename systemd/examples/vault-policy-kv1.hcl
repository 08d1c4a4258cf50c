# The least that token-broker needs in Vault or OpenBao: one secret of a KV version 1 engine mounted at secret/.
# It has no versions to ask for; everything else is said in vault-policy.hcl.

path "secret/odc/deploy" {
  capabilities = ["read"]
}

path "auth/token/lookup-self" {
  capabilities = ["read"]
}

path "auth/token/renew-self" {
  capabilities = ["update"]
}

path "auth/token/revoke-self" {
  capabilities = ["update"]
}
