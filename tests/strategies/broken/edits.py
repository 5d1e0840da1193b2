"""Strategies with one subtle defect each: the good ones of `good/`, with a place changed as one would get it wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

GOOD = Path(__file__).parents[1] / "good"


class Broken(NamedTuple):
    """A defect: in which file and class, what is changed to what, where it shows, and which invariants it breaks."""

    where: str
    edits: Sequence[tuple[str, str, str]]  # (file, old, new)
    scenario: str
    breaks: frozenset[str]

    def plant(self, folder: Path) -> str:
        """Copy the good strategies to a folder, with the defect. Returns what to give to `--strategy`."""
        for path in GOOD.glob("*.py"):
            source = path.read_text(encoding="utf-8")
            for name, old, new in self.edits:
                if name == path.stem:
                    assert old in source, f"{name} has no {old!r} any more"
                    source = source.replace(old, new)
            (folder / path.name).write_text(source, encoding="utf-8")
        name, _, class_name = self.where.partition(":")
        return f"{folder / name}.py:{class_name}"


DUE, TIMERS, OPTIMISTIC = "due_index:DueIndex", "timers_and_net:TimersAndNet", "optimistic:Optimistic"
STREAMS, QUEUE = "streams:Streams", "reliable_queue:ReliableQueue"


def _one(where: str, old: str, new: str, scenario: str, *breaks: str, file: str | None = None) -> Broken:
    return Broken(where, [(file or where.partition(":")[0], old, new)], scenario, frozenset(breaks))


BROKEN: dict[str, Broken] = {
    "claims_20_ms_early": _one(DUE, "'-inf', now, 'LIMIT'", "'-inf', now + 20, 'LIMIT'", "boundary", "buffered"),
    "folds_the_case_of_ids": _one(
        DUE, "{message.message_id!a}", "{message.message_id.casefold()!a}", "look_alikes", "no_loss"
    ),
    "trims_ids": _one(DUE, "{message.message_id!a}", "{message.message_id.strip()!a}", "look_alikes", "no_loss"),
    "knows_ids_without_their_conversation": _one(
        DUE, 'f"seen:{name}:{message.message_id!a}"', 'f"seen:{message.message_id!a}"', "look_alikes", "no_loss"
    ),
    "joins_names_with_a_bar": Broken(
        DUE,
        [
            (
                "shelf",
                "json.dumps([conversation.instance_name, conversation.user_phone])",
                'f"{conversation.instance_name}|{conversation.user_phone}".encode("utf-8", "surrogatepass").hex()',
            ),
            (
                "shelf",
                "instance, phone = json.loads(name)",
                'instance, _, phone = bytes.fromhex(name.decode() if isinstance(name, bytes) else name).decode("utf-8", "surrogatepass").partition("|")',
            ),
        ],
        "look_alikes",
        frozenset({"isolation"}),
    ),
    "composes_names": Broken(
        DUE,
        [
            ("shelf", "import json", "import json\nimport unicodedata"),
            (
                "shelf",
                "json.dumps([conversation.instance_name, conversation.user_phone])",
                'unicodedata.normalize("NFC", f"{json.dumps([conversation.instance_name, conversation.user_phone], ensure_ascii=False)}").encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace")',
            ),
        ],
        "look_alikes",
        frozenset({"isolation"}),
    ),
    "replaces_lone_surrogates": _one(
        DUE,
        "message.text, message.data]",
        'message.text.encode("utf-8", "replace").decode(), message.data]',
        "hostile_payloads",
        "integrity",
        file="shelf",
    ),
    "loses_the_sign_of_zero": _one(
        DUE,
        "json.loads(payload)",
        "json.loads(payload, parse_float=lambda text: float(text) + 0.0)",
        "hostile_payloads",
        "integrity",
        file="shelf",
    ),
    "rounds_big_integers": _one(
        DUE,
        "json.loads(payload)",
        "json.loads(payload, parse_int=lambda text: int(float(text)))",
        "hostile_payloads",
        "integrity",
        file="shelf",
    ),
    "strips_texts": _one(
        DUE,
        "message.text, message.data]",
        "message.text.strip(), message.data]",
        "blank_texts",
        "integrity",
        file="shelf",
    ),
    "forgets_repeats_after_a_minute": _one(
        DUE, "self.runtime.settings.repeat_horizon_seconds + 600", "60", "late_repeats", "no_duplicate"
    ),
    "forgets_repeats_after_half_the_horizon": _one(
        DUE, "self.runtime.settings.repeat_horizon_seconds + 600", "1_800", "late_repeats", "no_duplicate"
    ),
    "gives_up_one_attempt_early": _one(
        DUE, "if int(tries) < self", "if int(tries) + 1 < self", "attempts_used_up", "no_loss"
    ),
    "leaks_markers_of_dead_letters": _one(
        DUE,
        'await self._settle(conversation, name, fence, messages)\n            await self.runtime.report_status(conversation, "failed")',
        'await self._settle(conversation, name, fence, [])\n            await self.runtime.report_status(conversation, "failed")',
        "attempts_used_up",
        "no_leak",
    ),
    "says_success_when_it_retries": _one(
        DUE,
        '"retry", backoff_ms)\n',
        '"retry", backoff_ms)\n                await self.runtime.report_status(conversation, "success")\n',
        "retry",
        "status_true",
    ),
    "sorts_again_at_a_retry": _one(
        DUE,
        "        try:\n            await self.runtime.hand_over(messages",
        "        if int(tries):\n            messages.sort(key=lambda m: m.text)\n        try:\n            await self.runtime.hand_over(messages",
        "retry",
        "batch_stable",
    ),
    "pending_ends_after_a_minute": _one(
        DUE,
        "    redis.call('PERSIST', KEYS[4])\n",
        "    redis.call('PERSIST', KEYS[4])\n    redis.call('EXPIRE', KEYS[2], 60)\n",
        "outage",
        "no_loss",
    ),
    "a_claim_has_no_end": _one(DUE, '"due", 150_000)', '"due", 10**13)', "fault_reply_lost", "no_loss", "timely"),
    "new_key_at_each_claim": _one(
        DUE,
        "local fence =",
        "redis.call('HSET', state, 'key', redis.sha1hex(name) .. now)\nlocal fence =",
        "retry",
        "no_duplicate",
    ),
    "finishes_whatever_is_there": _one(
        DUE, "if redis.call('HGET', state, 'fence') ~= ARGV[2] or redis", "if redis", "held_up", "no_loss"
    ),
    "settles_before_it_hands_over": _one(
        DUE,
        "        try:\n            await self.runtime.hand_over(messages",
        "        await self._settle(conversation, name, fence, messages)\n        try:\n            await self.runtime.hand_over(messages",
        "fault_crash",
        "no_loss",
    ),
    "says_dead_after_moving": _one(
        DUE,
        "            await self.runtime.dead_letter(messages, str(error))\n            await self._settle(conversation, name, fence, messages)\n",
        "            await self._settle(conversation, name, fence, messages)\n            await self.runtime.dead_letter(messages, str(error))\n",
        "attempts_used_up",
        "no_loss",
    ),
    "relies_on_cached_scripts": Broken(
        DUE,
        [
            (
                "due_index",
                "await self.runtime.redis.eval(ADD, 4,",
                "if not getattr(self, '_sha', None):\n            self._sha = await self.runtime.redis.script_load(ADD)\n        await self.runtime.redis.evalsha(self._sha, 4,",
            ),
        ],
        "after_faults",
        frozenset({"available"}),
    ),
    "timers_alone": _one(
        TIMERS, "tick_ms: ClassVar[int | None] = 5_000", "tick_ms: ClassVar[int | None] = None", "retired", "no_loss"
    ),
    "skips_the_first_in_its_sweep": _one(
        OPTIMISTIC, "smembers(OPEN)):", "smembers(OPEN))[1:]:", "fault_crash", "no_loss"
    ),
    "watches_another_key": _one(OPTIMISTIC, 'pipe.watch(f"doc:{name}")', 'pipe.watch("doc")', "burst", "no_loss"),
    "acknowledges_entries_first": _one(
        STREAMS,
        "        try:\n            await self.runtime.hand_over",
        "        await self.runtime.redis.xack(STREAM, GROUP, entry_id)\n        try:\n            await self.runtime.hand_over",
        "retry",
        "no_loss",
    ),
    "claims_nothing_back": _one(STREAMS, "IDLE_MS = 180_000", "IDLE_MS = 10**10", "fault_crash", "no_loss", "timely"),
    "pops_before_it_hands_over": _one(
        QUEUE,
        'await redis.lmove("queue", self._mine, "RIGHT", "LEFT")',
        'await redis.rpop("queue")',
        "fault_crash",
        "no_loss",
    ),
    "marks_a_repeat_before_it_stores": _one(
        QUEUE,
        "await self.runtime.redis.eval(ADD, 2,",
        'await self.runtime.redis.sadd(f"early:{name}", repr(message.message_id)) or await self.runtime.redis.expire(f"early:{name}", 9_000)\n        await self.runtime.redis.eval(ADD, 2,',
        "boundary",
        "no_leak",
    ),
}
