import pytest

from engine.buffer.errors import UsageError
from engine.buffer.plan.baseline import Baseline
from engine.buffer.settings import Settings


@pytest.mark.parametrize("value", ["0", "-1", "eight", "", "8.5", "nan", str(2**31)])
@pytest.mark.parametrize("name", ["BUFFER_DELAY_MS", "BUFFER_TTL_SECONDS", "PROCESSED_BUFFER_TTL", "SHARDS"])
def test_a_time_that_is_no_positive_whole_number_or_huge_is_refused_in_one_line(name: str, value: str) -> None:
    with pytest.raises(UsageError) as refused:
        Settings.fixed(None, {name: value})
    assert str(refused.value).startswith(f"{name}={value!r} is refused: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["GRACE_WAIT_MS", "MAX_RETRY_ATTEMPTS"])
def test_a_switch_may_be_zero_but_not_negative(name: str) -> None:
    assert getattr(Settings.fixed(None, {name: "0"}), name.lower()) == 0
    with pytest.raises(UsageError, match=name):
        Settings.fixed(None, {name: "-1"})


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="unknown setting BUFER_DELAY_MS: did you mean BUFFER_DELAY_MS"):
        Settings.fixed(None, {"BUFER_DELAY_MS": 1})


def test_given_beats_environment_beats_the_design_s_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUFFER_TTL_SECONDS", "44")
    loaded = Settings.load(Baseline.default_settings, {"TIMER_TTL_SECONDS": "55"})
    assert (loaded.buffer_ttl_seconds, loaded.timer_ttl_seconds, loaded.processed_buffer_ttl) == (44, 55, 30)


def test_a_bad_value_in_the_environment_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUFFER_DELAY_MS", "soon")
    with pytest.raises(UsageError, match=r"^BUFFER_DELAY_MS='soon' is refused: "):
        Settings.load()


def test_fixed_settings_do_not_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUFFER_TTL_SECONDS", "44")
    assert Settings.fixed().buffer_ttl_seconds == 60


@pytest.mark.parametrize("name", ["SERVICE_KEY", "WEBHOOK_TOKEN"])
@pytest.mark.parametrize("value", ["", "two words", "schlüssel"])
def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(name: str, value: str) -> None:
    with pytest.raises(UsageError) as refused:
        Settings.fixed(None, {name: value})
    assert str(refused.value).startswith(f"{name}=*** is refused")
    assert not value or value not in str(refused.value)


def test_a_delay_longer_than_a_ttl_is_allowed_with_a_warning() -> None:
    warnings = Settings.fixed(None, {"BUFFER_DELAY_MS": 20_000, "BUFFER_TTL_SECONDS": 15}).warnings()
    assert len(warnings) == 1
    assert "BUFFER_DELAY_MS=20000 is not below BUFFER_TTL_SECONDS=15" in warnings[0]
    assert Settings.fixed().warnings() == []
    assert Settings.fixed(Baseline.default_settings).warnings() == []


def test_a_service_without_a_processor_or_secrets_of_its_own_is_allowed_with_a_warning_each() -> None:
    given = {"PROCESSOR_URL": "http://localhost:9000/process", "SERVICE_KEY": "mine", "WEBHOOK_TOKEN": "let-me-in"}
    assert Settings.fixed(None, given).service_warnings() == []
    for name in given:
        rest = {other: value for other, value in given.items() if other != name}
        (warning,) = Settings.fixed(None, rest).service_warnings()
        assert warning.startswith(f"{name} is ")
    assert Settings.fixed(None, {**given, "SERVICE_KEY": "service-key"}).service_warnings() != []
    assert len(Settings.fixed().service_warnings()) == 3


def test_a_processor_named_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROCESSOR_URL", "http://processor/process")
    assert not any("PROCESSOR_URL" in warning for warning in Settings.load().service_warnings())
