"""What a server says of its own work: commands, CPU and bytes between two looks."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis


async def look(redis: "Redis") -> dict[str, Any]:
    """Counters since the server began. Raises `RedisError`."""
    counters: dict[str, Any] = {}
    for section in ("stats", "cpu", "commandstats", "memory", "server"):
        counters |= await redis.info(section)
    return counters


def between(before: Mapping[str, Any], after: Mapping[str, Any], messages: int) -> dict[str, Any]:
    """What was done for each of so many messages.

    `commands` counts those that scripts run too, as the server does; `requests` counts reads from sockets, which without
    pipelining is one a round trip. In `commandstats` the time of a script includes that of its commands.
    """
    share = max(1, messages)

    def difference(*names: str) -> float:
        return sum(float(after.get(name, 0)) - float(before.get(name, 0)) for name in names)

    return {
        "commands_per_message": round(difference("total_commands_processed") / share, 2),
        "requests_per_message": round(difference("total_reads_processed") / share, 2),
        "bytes_in_per_message": round(difference("total_net_input_bytes") / share),
        "bytes_out_per_message": round(difference("total_net_output_bytes") / share),
        "cpu_us_per_message": round(difference("used_cpu_user", "used_cpu_sys") * 1_000_000 / share, 1),
        "commandstats": commandstats(before, after),
    }


def commandstats(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Calls, microseconds and microseconds a call of each command, between two looks."""
    found = {}
    for name, stats in sorted(after.items()):
        if not name.startswith("cmdstat_"):
            continue
        earlier = before.get(name, {"calls": 0, "usec": 0})
        calls, usec = int(stats["calls"] - earlier["calls"]), float(stats["usec"] - earlier["usec"])
        if calls > 0:
            name = name.removeprefix("cmdstat_")
            found[name] = {"calls": calls, "usec": usec, "usec_per_call": round(usec / calls, 2)}
    return found


def versions_of(server: Mapping[str, Any]) -> str:
    """The server's name and version."""
    if "valkey_version" in server:
        return f"Valkey {server['valkey_version']}"
    return f"Redis {server.get('redis_version', 'unknown')}"
