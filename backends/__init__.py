"""First-party secret backends: plug-ins like any other, importing `broker.api` and nothing else of ours."""
