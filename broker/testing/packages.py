"""What can be said of a plug-in's package without running it.

Owns: what its descriptor's module loads, and what its source imports. Refuses to know: which plug-in it is.
"""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path


def loaded_by(module: str, candidates: Sequence[str]) -> str:
    """What of `candidates` a fresh interpreter has loaded that imported `module` only: a list, as it is printed."""
    program = f"import sys, {module}; print([m for m in {tuple(candidates)!r} if m in sys.modules])"
    finished = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    return finished.stdout.strip() if finished.returncode == 0 else finished.stderr


def private_imports(module: str) -> set[str]:
    """The modules of the broker that the package's source imports, besides `broker.api`."""
    imported = {name for path in _sources(module) for name in _imports(path)}
    return {name for name in imported if name.partition(".")[0] == "broker" and name != "broker.api"}


def _sources(module: str) -> list[Path]:
    """Answer the module's source, or all of a package's."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    places = spec.submodule_search_locations
    if places is not None:
        return [path for place in places for path in Path(place).rglob("*.py")]
    return [Path(spec.origin)] if spec.origin else []


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str() as module, level=0):
                yield from (
                    (f"broker.{alias.name}" for alias in node.names) if module == "broker" else (module,)
                )
