"""A plug-in's module that loads a library at once."""

import sqlite3

KIND = sqlite3
