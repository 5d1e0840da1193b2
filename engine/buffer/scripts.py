"""Lua scripts as package data: read once, run by their digest."""

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Argument = bytes | str | int | float


@dataclass(frozen=True, slots=True)
class Script:
    """One Lua script. `source` opens with a comment that names its KEYS, its ARGV and what it returns."""

    name: str
    source: str
    sha: str

    @classmethod
    @functools.cache
    def load(cls, package: str, filename: str) -> "Script":
        """Read a script from a package's data. Raises `FileNotFoundError` if it is not there."""
        source = resources.files(package).joinpath(filename).read_text(encoding="utf-8")
        return cls(filename, source, hashlib.sha1(source.encode("utf-8"), usedforsecurity=False).hexdigest())

    @classmethod
    @functools.cache
    def all_of(cls, user: type) -> tuple["Script", ...]:
        """The scripts that lie beside a class, or beside one that it is made from."""
        packages = dict.fromkeys(each.__module__.rpartition(".")[0] for each in user.__mro__)
        return tuple(
            cls.load(package, file.name)
            for package in packages
            if package.startswith("engine.")
            for file in sorted(resources.files(package).iterdir(), key=lambda each: each.name)
            if file.name.endswith(".lua")
        )

    async def run(self, redis: "Redis", *, keys: Sequence[bytes | str], args: Sequence[Argument]) -> Any:
        """`EVALSHA`, and once `EVAL` if the server does not know the script. Raises `RedisError`.

        Only the refusal NOSCRIPT is tried again: it says that nothing was executed. Any other error leaves it open.
        """
        try:
            return await redis.evalsha(self.sha, len(keys), *keys, *args)
        except NoScriptError:
            return await self.run_source(redis, keys=keys, args=args)

    async def run_source(self, redis: "Redis", *, keys: Sequence[bytes | str], args: Sequence[Argument]) -> Any:
        """`EVAL`: the source goes with every call. Raises `RedisError`."""
        return await redis.eval(self.source, len(keys), *keys, *args)
