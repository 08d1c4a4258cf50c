"""Where consumers run: what the names of docs/consumers.md stand for on this machine.

Owns: the directories, and the one table of stand-ins. Refuses to know: the programs. A name that the page does not say
is not missed: a consumer that asks elsewhere, or reads elsewhere, is not let in.
"""

from __future__ import annotations

import grp
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.consumers import looping
from tests.consumers.api import Api
from tests.consumers.page import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A directory for each consumer below `directory`, the broker's runtime directory, and the API."""

    directory: Path
    runtime_dir: Path
    api: Api

    def part(self, name: str, recipe: Recipe) -> Part:
        """For one consumer."""
        place = self.directory / name
        place.mkdir(exist_ok=True)
        return Part(stage=self, name=name, recipe=recipe, place=place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One consumer's: `name` is its account at the door, `place` its directory."""

    stage: Stage
    name: str
    recipe: Recipe
    place: Path

    def text(self, language: str) -> str:
        """The recipe's block with every name replaced."""
        text = self.recipe.block(language)
        for name, stand_in in self._stand_ins().items():
            text = text.replace(name, stand_in)
        return text

    def files(self) -> str:
        """The broker's tables of this recipe, with a group that this process may give files to."""
        own = grp.getgrgid(os.getegid()).gr_name
        return re.sub(r'^group = ".*"$', f'group = "{own}"', self.text("toml"), flags=re.MULTILINE)

    def file(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        """Write a file into the place."""
        path = self.place / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def _stand_ins(self) -> dict[str, str]:
        """In the order of replacement: a URL before the host in it."""
        api, place = self.stage.api, self.place
        return {
            "https://api.example": f"{api.url}/{self.name}",
            "https://kubernetes.example:6443": f"{api.tls_url}/{self.name}",
            "api.example:443": api.tls_url.removeprefix("https://"),
            "api.example": "127.0.0.1",
            "metrics_path: /metrics": f"metrics_path: /{self.name}/metrics",
            "/etc/ssl/corp.pem": str(api.ca_file),
            "/run/token-broker": str(self.stage.runtime_dir),
            "/run/user/1000/bt_u1000": f"{place}/bt_u{os.getuid()}",
            "/run/nginx.pid": f"{place}/nginx.pid",
            "/usr/bin/systemctl": f"{place}/systemctl",
            "python3 app.py": f"{sys.executable} {looping.__file__} app.py",
        }
