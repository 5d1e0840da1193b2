"""The gallery: designs found in the field, as strategies. An engineer finds the own design in it, and what breaks it."""

_DESIGNS = {
    "rpush_sleep_del": "RpushSleepDel",
    "leader_lock": "LeaderLock",
    "poll_timer_key": "PollTimerKey",
    "watch_multi_token": "WatchMultiToken",
    "last_pusher_lua": "LastPusherLua",
    "token_lock_drain": "TokenLockDrain",
}

GALLERY: dict[str, str] = {name: f"scenarios.gallery.{name}:{cls}" for name, cls in _DESIGNS.items()}

__all__ = ["GALLERY"]
