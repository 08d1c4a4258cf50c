"""The main job: mint, renew, keep and publish access tokens. Knows ports and policy, no library but tenacity."""
