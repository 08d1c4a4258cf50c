// The aws auth method of HashiCorp Vault as a plugin of its own, so that OpenBao, which has none, can load it.
// Vault 1.14.8 is the last release under the MPL-2.0. For tests only.
package main

import (
	"os"

	"github.com/hashicorp/vault/api"
	aws "github.com/hashicorp/vault/builtin/credential/aws"
	"github.com/hashicorp/vault/sdk/plugin"
)

func main() {
	meta := &api.PluginAPIClientMeta{}
	if err := meta.FlagSet().Parse(os.Args[1:]); err != nil {
		os.Exit(2)
	}
	options := &plugin.ServeOpts{
		BackendFactoryFunc: aws.Factory,
		TLSProviderFunc:    api.VaultPluginTLSProvider(meta.GetTLSConfig()),
	}
	if err := plugin.ServeMultiplex(options); err != nil {
		os.Exit(1)
	}
}
