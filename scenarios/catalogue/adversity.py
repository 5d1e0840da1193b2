"""What breaks designs that the plain cases spare: attempts used up, late repeats, look-alikes, messages after the faults."""

import random
from collections.abc import Callable
from dataclasses import replace

from engine.simulation.case import FAULTS, Case, Sending
from scenarios.catalogue.drawing import burst, case, near_edge, phone
from scenarios.scenario import Scenario

#: Names that a careless join, fold, trim or encoding takes for one.
_ALIKE: tuple[Callable[[str], tuple[str, str]], ...] = (
    lambda text: (f"{text}é", f"{text}e\u0301"),  # the same character, composed and decomposed
    lambda text: (f"{text}A", f"{text}a"),
    lambda text: (text, f"{text} "),
    lambda text: (text, f"+{text}"),
    lambda text: (text, f"0{text}"),
    lambda text: (f"{text}\ud800", f"{text}\udfff"),  # lone surrogates, which "replace" makes one
    lambda text: (f"{text}\ud800", f"{text}?"),
    lambda text: (f"{text}%3A", f"{text}:"),
    lambda text: (f"{text}\u200b", text),
    lambda text: (f"{{{text}}}", text),
    lambda text: (f"{text}\0", text),
    lambda text: (f"{text}ß", f"{text}ss"),
    lambda text: (f"{text}\u00a0", f"{text} "),
    lambda text: (f"{text}*", f"{text}1"),  # a pattern, where a design scans for it
    lambda text: (f"{text}\n", text),
)
_SEPARATORS = ":|-_/.#, \0\n;@=+~"


def _joined(rng: random.Random) -> list[tuple[str, str]]:
    """Two pairs of names that read the same when they are joined with some character."""
    between = rng.choice(_SEPARATORS)
    return [(f"bot{between}7", "49151"), ("bot", f"7{between}49151")]


def _alike_names(rng: random.Random) -> list[tuple[str, str]]:
    """Five pairs, each alike in another way, and apart from the others."""
    names: list[tuple[str, str]] = []
    for number, alike in enumerate(rng.sample(_ALIKE, 5)):
        if rng.random() < 0.5:
            names += [(each, f"4915{number}") for each in alike("bot")]
        else:
            names += [("bot", each) for each in alike(f"4915{number}")]
    return names


def _look_alikes(rng: random.Random, _strategy: str) -> Case:
    way = rng.randrange(4)
    if way == 3:  # one conversation, two pairs of ids
        sendings = burst(rng, [0, rng.randint(0, 6_000), rng.randint(0, 6_000), near_edge(rng)])
        pairs = [alike(f"id{number}-") for number, alike in enumerate(rng.sample(_ALIKE, 2))]
        return case([replace(each, message_id=name) for each, name in zip(sendings, sum(pairs, ()), strict=True)])
    sendings = []
    same_ids = rng.random() < 0.5
    for instance, number in _joined(rng) if way == 0 else _alike_names(rng):
        offsets = [rng.randint(0, 4_000) for _ in range(rng.choice([1, 1, 2]))]
        drawn = burst(rng, offsets, first=len(sendings) + 1, instance_name=instance, user_phone=number)
        if same_ids:  # an id belongs to its conversation alone
            drawn = [replace(each, message_id=f"id-{place}") for place, each in enumerate(drawn, 1)]
        sendings += drawn
    return case(sendings)


def _joined_names(rng: random.Random, _strategy: str) -> Case:
    """Pairs of names that read the same when joined with a character, or with none: several characters at once."""
    sendings: list[Sending] = []
    for between in ("", *rng.sample(_SEPARATORS, 5)):
        for instance, number in ((f"bot{between}7", "49151"), ("bot", f"7{between}49151")):
            sendings += burst(
                rng, [rng.randint(0, 4_000)], first=len(sendings) + 1, instance_name=instance, user_phone=number
            )
    return case(sendings, hop_ms=(1, 100))


def _late_repeats(rng: random.Random, _strategy: str) -> Case:
    """Repeats anywhere within the horizon of 3,600 s, most of them late."""
    sendings = burst(rng, [0, *(near_edge(rng) for _ in range(rng.randint(0, 1)))])
    habitual = [25_000, 59_000, 61_000, 299_000, 301_000, 599_000, 601_000, 1_790_000, 3_590_000]
    times = [rng.choice([*habitual, *3 * [3_599_999]])]  # the horizon itself more often than any other
    if rng.random() < 0.5:
        times.append(rng.randint(20_000, 3_590_000))
    index = rng.randrange(len(sendings))
    sendings[index] = replace(sendings[index], repeats_ms=tuple(sorted(times)))
    failures = rng.choice([(), (), ("error_500",), ("answer_lost",)])
    return case(sendings, processor_failures=failures, heal_ms=10_000 if failures else 0)


def _repeats_among_faults(rng: random.Random, _strategy: str) -> Case:
    """The provider repeats what it was answered, while functions and Redis fail: a marker without its message, or the reverse."""
    sendings = burst(rng, [0, *(near_edge(rng) for _ in range(rng.randint(0, 1)))])
    for index in rng.sample(range(len(sendings)), rng.randint(1, len(sendings))):
        repeats = sorted(
            rng.choice([0, 300, 2_000, 7_999, 8_000, 12_000, 25_000, 70_000]) for _ in range(rng.randint(1, 2))
        )
        sendings[index] = replace(sendings[index], repeats_ms=tuple(repeats))
    kinds = rng.choice(
        [
            ("crash",),
            ("crash",),
            ("pause", "crash"),
            ("reply_lost", "crash"),
            ("request_lost", "restart"),
            ("reply_lost", "stall"),
        ]
    )
    return case(
        sendings,
        faults=kinds,
        fault_budget=rng.choice([1, 2, 3]),
        fault_rate=rng.choice([0.05, 0.1]),
        heal_ms=rng.choice([20_000, 100_000]),
        provider_retries=rng.randint(0, 2),
        functions=rng.choice([2, 3]),
    )


def _attempts_used_up(rng: random.Random, _strategy: str) -> Case:
    """The processor fails about as often as a batch may be tried, while replies are lost and functions crash."""
    attempts = rng.choice([0, 1, 2, 2, 3])
    kind = rng.choice(["error_500", "error_500", "error_500", "says_failed", "refused", "answer_lost"])
    failures = (kind,) * rng.randint(max(1, attempts), attempts + 3)
    later = [rng.choice([near_edge(rng), rng.randint(8_000, 30_000)]) for _ in range(rng.randint(0, 2))]
    sendings = burst(rng, [0, *later])
    if rng.random() < 0.3:
        sendings[0] = replace(
            sendings[0], repeats_ms=(rng.choice([500, 9_000]), rng.choice([20_000, 30_000, 60_000, 300_000]))
        )
    return case(
        sendings,
        processor_failures=failures,
        settings={"MAX_RETRY_ATTEMPTS": attempts},
        faults=rng.choice(
            [(), ("reply_lost",), ("reply_lost",), ("reply_lost", "stall"), ("crash",), ("crash", "pause")]
        ),
        fault_budget=rng.choice([1, 2, 3]),
        fault_rate=rng.choice([0.05, 0.1, 0.2]),
        heal_ms=60_000,
        functions=rng.choice([2, 3]),
    )


def _after_faults(rng: random.Random, _strategy: str) -> Case:
    """Faults strike the first messages; then all is well, and the same person writes again, and a new one."""
    heal_ms = rng.choice([12_000, 20_000, 60_000])
    sendings = burst(rng, [0, *(near_edge(rng) for _ in range(rng.randint(0, 1)))])
    again_ms = heal_ms + rng.choice([1_000, 5_000, 20_000, 200_000])
    sendings += burst(rng, [again_ms], first=len(sendings) + 1)
    sendings += burst(rng, [again_ms + rng.randint(0, 9_000)], first=len(sendings) + 1, user_phone=phone(2))
    kinds = tuple(kind for kind in FAULTS if rng.random() < 0.3) or ("script_flush",)
    return case(
        sendings,
        faults=kinds,
        fault_budget=3,
        fault_rate=rng.choice([0.03, 0.1, 0.3]),
        heal_ms=heal_ms,
        provider_retries=rng.randint(0, 2),
        functions=rng.choice([1, 2, 3]),
    )


def _held_up(rng: random.Random, _strategy: str) -> Case:
    """Two functions, one person who goes on writing, short pauses and crashes: leases end, and are met by new batches."""
    gap_ms = rng.choice([4_000, 9_000, 12_000])
    # Now and then for longer than a lease lasts: what was armed for its end then meets another buffer.
    count = rng.randint(2, 5) if rng.random() < 0.8 else 170_000 // gap_ms
    sendings: list[Sending] = burst(rng, [index * gap_ms + rng.randint(0, 500) for index in range(count)])
    kinds = rng.choice(
        [
            ("pause",),
            ("crash",),
            ("pause", "crash"),
            ("delivery_repeated", "crash"),
            ("pause", "stall"),
            ("stall", "crash"),
        ]
    )
    return case(
        sendings,
        faults=kinds,
        fault_budget=rng.choice([2, 3]),
        fault_rate=rng.choice([0.05, 0.1]),
        heal_ms=sendings[-1].at_ms + 200_000,
        processor_ms=rng.choice([(1_000, 5_000), (10_000, 30_000)]),
        functions=2,
        retire_after_ms=rng.choice([None, None, 500]),
    )


SCENARIOS = (
    Scenario(
        name="look_alikes",
        summary="names and ids that a join, a fold, a trim or an encoding takes for one",
        sample=_look_alikes,
        runs=150,
    ),
    Scenario(
        name="joined_names",
        summary="names that read the same when they are joined, with any character or none",
        sample=_joined_names,
        runs=40,
    ),
    Scenario(
        name="late_repeats",
        summary="the same message id again, minutes to an hour later",
        sample=_late_repeats,
        runs=80,
    ),
    Scenario(
        name="repeats_among_faults",
        summary="the same message id again, while functions crash and replies are lost",
        sample=_repeats_among_faults,
        runs=150,
    ),
    Scenario(
        name="attempts_used_up",
        summary="the processor fails as often as a batch may be tried, among other faults",
        sample=_attempts_used_up,
        runs=200,
    ),
    Scenario(
        name="after_faults",
        summary="faults, then none, and new messages",
        sample=_after_faults,
        runs=150,
    ),
    Scenario(
        name="held_up",
        summary="a person who goes on writing while functions pause, crash and retire",
        sample=_held_up,
        runs=200,
    ),
)
