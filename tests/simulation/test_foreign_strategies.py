"""Strategies that the harness was not written for, each with one defect, are caught with a violation of the right invariant."""

from pathlib import Path

import pytest

from scenarios.batch import Plan, run_batch
from scenarios.catalogue import SCENARIOS

BROKEN = Path(__file__).parents[1] / "strategies" / "broken"
STEP = 2

#: File and class, a scenario in which it shows, as a rule the one in which it does soonest, the invariant that it breaks.
DEFECTS = """
dedupe:NoDedupe redelivered_webhook no_duplicate
dedupe:MarkerOfTenSeconds webhook_repeats no_duplicate
dedupe:MarkerWithoutConversation look_alikes no_loss
dedupe:DedupesByText same_text_twice no_loss
dedupe:MarksAfterwards repeats_among_faults no_duplicate
dedupe:DedupesInMemory redelivered_webhook no_duplicate
dedupe:RefusesRepeats webhook_repeats available
dedupe:StoresAndFallsBack boundary no_duplicate
dedupe:DropsBlanks blank_texts no_loss
dedupe:MarkersStay boundary no_leak
claims:KeyWithTheFence retry no_duplicate
claims:CountsFromOneAgain silence timely
claims:OneKeyForAConversation next_burst no_loss
claims:KeyOfTheMinute during_processing no_loss
claims:FenceByOwnClock skewed_clocks no_loss
claims:ClaimsForEver fault_crash no_loss
claims:TwoInFlight during_processing one_at_a_time
claims:SettlesFirst retry no_loss
claims:GivesUpAtOnce retry no_loss
claims:RetryReversed retry batch_stable
claims:RetryMarksTheText retry integrity
windows:AtOnce boundary buffered
windows:OneMillisecondEarly boundary buffered
windows:TwiceAsLong quick timely
windows:TicksOnceInFiveMinutes boundary timely
windows:SlidesForEver keeps_writing timely
windows:WindowsOfTheClock boundary buffered
windows:DueByOwnClock skewed_clocks buffered
windows:OneByOne boundary buffered
windows:KeepsTheNewestTen flood no_loss
windows:NewestFirst boundary order
windows:SortedByText boundary order
windows:SortedById odd_messages order
windows:ForgetsAfterLook as_it_is_disarmed no_loss
windows:ForgetsWhatIsBusy due_as_it_is_settled no_loss
windows:InMemory boundary buffered
windows:InClassMemory fault_crash no_loss
payloads:StripsNewlines odd_messages integrity
payloads:BarBetween odd_messages integrity
payloads:WithoutEmptyData odd_messages integrity
payloads:EmptyListsAsObjects boundary integrity
payloads:RoundsIntegers boundary integrity
payloads:JoinedNames two_conversations isolation
payloads:NamesByUnderscore joined_names isolation
payloads:ByInstanceAlone many_conversations isolation
statuses:SuccessFirst retry status_true
statuses:SuccessForTheDead attempts_used_up status_true
statuses:FailedAlways boundary status_true
naive:ListAndTimer boundary no_loss
naive:ReadAndDeleteAtOnce retry no_loss
naive:OneDocument burst no_loss
naive:WatchesOnce burst no_loss
naive:LockOfTwoSeconds slow_holder no_loss
naive:DropsWithoutTheLock burst no_loss
naive:NoBuffer boundary buffered
naive:WrongConversation many_conversations isolation
redis_ways:PubsubAlone fault_restart no_loss
redis_ways:PushesMessages fault_restart no_loss
redis_ways:BlocksAndPops fault_crash no_loss
redis_ways:ThroughCjson boundary integrity
"""
#: Those that take many runs or long ones, and those that resemble one above.
SELDOM = """
dedupe:ForgetsWhenDone webhook_repeats no_duplicate
dedupe:KnowsTheLastOne webhook_repeats no_duplicate
dedupe:LooksThenAdds redelivered_webhook no_duplicate
dedupe:RaisesAtRepeats webhook_repeats available
dedupe:SaysStoredWhenItIsNot outage no_loss
dedupe:StoresInTheBackground outage no_loss
dedupe:RefusesLongTexts hostile_payloads available
dedupe:StateStays boundary no_leak
dedupe:CountsForEver boundary no_leak
claims:RandomKey retry no_duplicate
claims:NoKey retry no_duplicate
claims:KeyWithTheAttempt retry no_duplicate
claims:KeyOfTheTexts many_conversations no_loss
claims:KeyOfALengthAlone next_burst no_loss
claims:FenceIsTheAttempt retry no_loss
claims:RefusalsCount skewed_clocks no_loss
claims:ShortLease boundary no_duplicate
claims:DoesNotWait retry no_loss
claims:SwallowsFailures retry no_loss
claims:GivesUpSilently attempts_used_up no_loss
claims:ClaimsCountAsAttempts attempts_used_up no_loss
claims:RequeuesAsNew retry no_duplicate
claims:RetryTakesMoreAlong retry batch_stable
claims:RetryOneByOne retry no_duplicate
claims:FailedOnesStepAside retry order
claims:PendingEnds outage no_loss
claims:ClaimOverwrites steady_failures no_loss
windows:TooEarly boundary buffered
windows:ForgetsTheUnit boundary buffered
windows:HalfAMinute quick timely
windows:TwoAtATime burst buffered
windows:KeepsTheFirstFifty flood no_loss
windows:ReadsTheFirstHundred flood no_loss
windows:SortedByLength boundary order
windows:AsASet boundary order
windows:SortedByOwnClock skewed_clocks order
windows:InGlobalMemory fault_crash no_loss
windows:TimersAlone retired no_loss
payloads:Strips blank_texts integrity
payloads:LowersTexts odd_messages integrity
payloads:AsciiTexts boundary integrity
payloads:LatinTexts boundary integrity
payloads:EscapesTexts odd_messages integrity
payloads:CutsTexts hostile_payloads integrity
payloads:CarriageReturns odd_messages integrity
payloads:ReadsTexts odd_messages integrity
payloads:WithoutData boundary integrity
payloads:WithoutNulls boundary integrity
payloads:FloatsBecomeWhole hostile_payloads integrity
payloads:DataAsText boundary integrity
payloads:JoinsTexts boundary integrity
payloads:NewIds boundary integrity
payloads:DecodesLoosely hostile_payloads integrity
payloads:ByPhoneAlone look_alikes isolation
payloads:DigitsOfThePhone look_alikes isolation
payloads:LowerNames look_alikes isolation
payloads:Shards many_conversations isolation
payloads:RemembersTheLast many_conversations isolation
statuses:SuccessAlways retry status_true
statuses:DeadAndSuccess retry status_true
payloads:EncodesTwice boundary integrity
naive:PopsWhileThereIsSomething retry no_loss
naive:DeliversWithoutAnEnd retry no_loss
redis_ways:StreamCut flood no_loss
redis_ways:ExpiresTheMarkerOnly boundary no_loss
redis_ways:SortedSetOfMinutes odd_messages order
dedupe:MarksFirst fault_request_lost no_loss
dedupe:ArmsAfterwards marker_before_lock no_loss
claims:FenceIsRandom next_burst no_loss
claims:LeaseShorterThanTheWork during_processing no_duplicate
claims:SettlesWithoutAToken steady_failures no_loss
claims:FlightEnds fault_crash no_leak
claims:PopsTheDue fault_crash no_loss
payloads:ComposesTexts odd_messages integrity
payloads:JoinsBlanks odd_messages integrity
naive:ReadThenDelete boundary no_loss
naive:ReadThenDelete steady no_loss
naive:LockForEver fault_crash available
naive:EveryoneDelivers boundary no_duplicate
naive:EveryoneDelivers burst no_duplicate
naive:WaitsForEver boundary available
redis_ways:Acknowledges retry no_loss
redis_ways:NoAck retry no_loss
redis_ways:PatternOfTheName many_conversations no_loss
redis_ways:GetAndSetTheFence many_conversations no_loss
redis_ways:RelaysOnCachedScripts after_faults available
"""


def lines(table: str) -> list[list[str]]:
    return [line.split() for line in table.splitlines() if line]


def is_caught(where: str, scenario: str, invariant: str) -> bool:
    """Whether the runs that `verify --strategy` makes of this scenario violate the invariant."""
    file, _, class_name = where.partition(":")
    plan = Plan(strategy=f"{BROKEN / file}.py:{class_name}", scenario=scenario, policy="portfolio", seed=0)
    runs = SCENARIOS[scenario].runs
    return any(run_batch(plan, start, min(start + STEP, runs)).violations[invariant] for start in range(0, runs, STEP))


@pytest.mark.parametrize(("where", "scenario", "invariant"), lines(DEFECTS))
def test_the_defect_is_caught(where: str, scenario: str, invariant: str) -> None:
    assert is_caught(where, scenario, invariant)


@pytest.mark.nightly
@pytest.mark.parametrize(("where", "scenario", "invariant"), lines(SELDOM))
def test_the_other_defect_is_caught(where: str, scenario: str, invariant: str) -> None:
    assert is_caught(where, scenario, invariant)


def test_a_design_that_hangs_is_undecided_after_two_runs_and_says_where() -> None:
    plan = Plan(strategy=f"{BROKEN / 'naive'}.py:Spins", scenario="boundary", policy="portfolio", seed=0)
    tally = run_batch(plan, 0, 25)
    assert tally.cut
    assert tally.runs == 2
    assert "callbacks at one instant in receive (naive.py:" in next(iter(tally.reasons))


def test_the_design_whose_parts_they_change_holds() -> None:
    for scenario in ("boundary", "odd_messages", "joined_names", "quick"):
        tally = run_batch(
            Plan(strategy=f"{BROKEN / 'core'}.py:Core", scenario=scenario, policy="portfolio", seed=0), 0, 4
        )
        assert not tally.violations, (scenario, tally.first_violation)
