"""What a real Redis is like, and what that means for a design: scripts, persistence, eviction, version, cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

Level = Literal["ok", "warning", "danger"]
#: Designs that cannot work without scripts.
SCRIPTED = frozenset({"lua", "fenced_lock", "lease"})
#: `SET … PX NX` with GET-free options and `EVALSHA` as used here; older servers are not tested.
OLDEST_VERSION = (6, 2)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the server, in words."""

    level: Level
    what: str
    means: str


async def diagnose(redis: "Redis", strategy: str) -> list[Finding]:
    """Look at a server on behalf of a strategy. Raises `RedisError` if it cannot be reached."""
    info: Mapping[str, Any] = await redis.info()
    return [
        _version(info),
        await _scripts(redis, strategy),
        await _persistence(redis, info, strategy),
        await _eviction(redis, info, strategy),
        _cluster(info, strategy),
    ]


def _version(info: Mapping[str, Any]) -> Finding:
    text = str(info.get("valkey_version") or info.get("redis_version", "0"))
    name = "Valkey" if "valkey_version" in info else "Redis"
    if tuple(int(part) for part in text.split(".")[:2] if part.isdigit()) < OLDEST_VERSION:
        return Finding("warning", f"{name} {text}", "older than 6.2: nothing here was tried on it")
    return Finding("ok", f"{name} {text}", "known to work")


async def _scripts(redis: "Redis", strategy: str) -> Finding:
    try:
        await redis.eval("return 1", 0)
    except RedisError as error:
        level: Level = "danger" if strategy in SCRIPTED else "warning"
        need = f"{strategy} cannot work without them" if strategy in SCRIPTED else f"{strategy} does without"
        return Finding(level, f"scripts are refused ({error})", need)
    return Finding("ok", "scripts are allowed", "atomic steps are possible")


async def _setting(redis: "Redis", name: str) -> str | None:
    """A configuration value; None where a provider does not let one look."""
    try:
        answer = await redis.config_get(name)
    except RedisError:
        return None
    plain = {_text(key): _text(value) for key, value in answer.items()}
    return plain.get(name)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


async def _persistence(redis: "Redis", info: Mapping[str, Any], strategy: str) -> Finding:
    loses = f"what {strategy} has accepted"
    if not info.get("aof_enabled"):
        saves = await _setting(redis, "save")
        how = "snapshots only" if saves else "no persistence"
        return Finding("danger", how, f"a restart loses {loses} since the last snapshot: set appendonly yes")
    fsync = await _setting(redis, "appendfsync")
    if fsync == "always":
        return Finding("ok", "append-only file, synced always", "a restart keeps everything that was answered")
    shown = fsync or "unknown"
    return Finding(
        "warning", f"append-only file, synced {shown}", f"a crash can lose a second of {loses}: appendfsync always"
    )


async def _eviction(redis: "Redis", info: Mapping[str, Any], strategy: str) -> Finding:
    limit = int(info.get("maxmemory") or 0)
    policy = str(info.get("maxmemory_policy") or await _setting(redis, "maxmemory-policy") or "unknown")
    if limit == 0:
        return Finding(
            "warning", "no memory limit", "the system may kill the server when memory runs out: set maxmemory"
        )
    if policy == "noeviction":
        return Finding("ok", f"{limit:,} bytes, {policy}", "a full server refuses new messages (503) and loses none")
    if policy.startswith("volatile"):
        return Finding(
            "warning",
            f"eviction policy {policy}",
            f"repeat markers of {strategy} may go early: a repeat is then a second message",
        )
    return Finding("danger", f"eviction policy {policy}", f"any key may go, messages of {strategy} too: set noeviction")


def _cluster(info: Mapping[str, Any], strategy: str) -> Finding:
    if not info.get("cluster_enabled"):
        return Finding("ok", "no cluster", "all keys are on one server")
    if strategy in ("lease", "fenced_lock"):
        return Finding("ok", "cluster", "the keys of one script share a hash slot")
    return Finding("danger", "cluster", f"{strategy} has no hash tags: its transactions and scripts may be refused")
