"""Which of these tests are collected: those that compile Vault's own aws method in a long run only (`make soak`)."""

from __future__ import annotations

from tests.scale import scaled

collect_ignore = ["test_aws_on_vault.py"] if scaled(short=1, whole=0) else []
