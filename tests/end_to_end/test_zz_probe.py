import time
from tests.end_to_end.tables import *
from tests.end_to_end.test_openbao import put_client
from tests.daemon.running import Daemon
def test_data_only(tmp_path, openbao, server):
    put_client(openbao, server, "d/deploy")
    new_role(openbao, tmp_path, "secret/data/d/deploy")
    tables = vault_backend(openbao, tmp_path) + development_server(server) + managed_token("d/deploy")
    with Daemon(tmp_path, tables) as daemon:
        print(daemon.wait_for(state="fresh", condition="ok"))
        secret = server.rotate("deploy")
        daemon.ask("/v1/tokens/deploy/renew", "POST")
        print(daemon.wait_for(condition="awaiting_secret"))
        openbao.put_secret("d/deploy", {"client_id": "deploy", "client_secret": secret.reveal()})
        try:
            print(daemon.wait_for(condition="ok", timeout=20))
        except AssertionError as e: print("NOT HEALED", e)
        print(daemon.record())
        print(open(daemon.log).read()[-3000:])
