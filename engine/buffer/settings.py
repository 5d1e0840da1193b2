"""Settings from the environment, under the plan's names, validated. Times carry their unit in the name."""

import difflib
import os
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from engine.buffer.errors import UsageError

#: As much as a timer, an expiry and a date can take: 24 days in ms, 68 years in s.
_MOST = 2**31 - 1
Positive = Annotated[int, Field(gt=0, le=_MOST)]
Natural = Annotated[int, Field(ge=0, le=_MOST)]


def _header_safe(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not all("!" <= character <= "~" for character in text):
        raise ValueError("it goes into an HTTP header, so it needs visible ASCII characters and no spaces")
    return secret


Secret = Annotated[SecretStr, AfterValidator(_header_safe)]


#: Settings whose values are never shown.
_SECRETS = ("SERVICE_KEY", "WEBHOOK_TOKEN")


class Settings(BaseSettings):
    """All settings in force. Attributes are lower case, environment variables upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", case_sensitive=False)

    buffer_delay_ms: Positive = 8_000
    buffer_ttl_seconds: Positive = 60
    timer_ttl_seconds: Positive = 30
    processed_buffer_ttl: Positive = 300
    #: Declared by the plan and without effect, as there: its code waits GRACE_WAIT_MS instead.
    grace_period_ms: Positive = 2_000
    #: How long `lock` waits at the edge of the window while holding the lock; 0 switches the wait off.
    grace_wait_ms: Natural = 500
    lock_enabled: bool = True
    max_retry_attempts: Natural = 3
    enable_buffer_monitoring: bool = True
    cleanup_interval_seconds: Positive = 60
    hand_over_timeout_seconds: Positive = 120
    delivery_timeout_seconds: Positive = 150
    webhook_timeout_seconds: Positive = 30
    repeat_horizon_seconds: Positive = 3_600
    settle_limit_seconds: Positive = 1_800
    #: How long a service that is stopped goes on answering what it has begun; then what it has claimed is given back.
    graceful_stop_seconds: Positive = 30
    #: Slots of the key space of `lease`: each has its own hash tag and its own due index.
    shards: Positive = 16
    #: The lease on a batch in flight lasts this much longer than HAND_OVER_TIMEOUT_SECONDS, so it needs no renewal.
    lease_margin_seconds: Positive = 30
    #: The wait before a batch is handed over again: this, doubled with each failure, up to the maximum, with jitter.
    retry_backoff_ms: Positive = 1_000
    retry_backoff_ms_max: Positive = 60_000
    #: How many conversations one function's sweep delivers at a time.
    sweep_concurrency: Positive = 64
    #: Whether `lease` takes over the unprocessed buffers that a rollout finds in the plan's format.
    adopt_plan_buffers: bool = True
    #: How long `bufferproof track` knows a message's steps after the last one.
    track_ttl_seconds: Positive = 86_400
    #: Webhook calls of one person that are worked on at a time; more wait in order, so that no burst takes every connection.
    calls_at_once_per_person: Positive = 8
    #: Connections of one process to Redis; a command waits for one, first come first served.
    redis_connections_max: Positive = 64
    max_message_id_chars: Positive = 1_024
    max_text_bytes: Positive = 2_000_000
    max_name_chars: Positive = 1_024
    #: How deep lists and objects of a message's data may be nested. Python's own JSON reader ends a little below 1,000.
    max_nesting: Positive = 200
    max_body_bytes: Positive = 8_000_000
    #: One factor on all times of a design, its fixed ones too, for fast loads; below 1, TTLs are sent in milliseconds.
    time_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    redis_url: str = "redis://localhost:6379/0"
    base_url: str = "http://localhost:8000"
    processor_url: str = "http://localhost:9000/process"
    service_key: Secret = SecretStr("service-key")
    #: What the provider must send as `Authorization: Bearer …`; None: webhook calls need none.
    webhook_token: Secret | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed and the environment: nothing is read from files."""
        return init_settings, env_settings

    @classmethod
    def load(cls, defaults: Mapping[str, Any] | None = None, given: Mapping[str, Any] | None = None) -> "Settings":
        """The settings of one design: what was given, over the environment, over the design's defaults.

        Raises `UsageError` with one line that names the setting and what is wrong with it.
        """
        values = {name.lower(): value for name, value in (defaults or {}).items() if name.upper() not in os.environ}
        return _checked(cls, values | {name.lower(): value for name, value in (given or {}).items()})

    @classmethod
    def fixed(cls, defaults: Mapping[str, Any] | None = None, given: Mapping[str, Any] | None = None) -> "Settings":
        """Like `load`, but the environment is not read: what a simulated run uses, so that it is reproducible."""
        values = {**(defaults or {}), **(given or {})}
        return _checked(_FixedSettings, {name.lower(): value for name, value in values.items()})

    def warnings(self) -> list[str]:
        """What is allowed and loses messages all the same, a line each: a delay longer than a TTL."""
        ttls = {"BUFFER_TTL_SECONDS": self.buffer_ttl_seconds, "TIMER_TTL_SECONDS": self.timer_ttl_seconds}
        return [
            f"BUFFER_DELAY_MS={self.buffer_delay_ms} is not below {name}={seconds}: "
            "in the plan's designs the key is gone first"
            for name, seconds in ttls.items()
            if self.buffer_delay_ms >= seconds * 1_000
        ]

    def service_warnings(self) -> list[str]:
        """What works on a desk and is a slip in a real service, a line each: no processor named, no secrets of one's own."""
        warnings = []
        if "processor_url" not in self.model_fields_set:
            warnings.append(f"PROCESSOR_URL is not set: batches go to {self.processor_url}")
        if self.service_key == Settings.model_fields["service_key"].default:
            warnings.append("SERVICE_KEY is the default, which everyone knows: set one of your own")
        if self.webhook_token is None:
            warnings.append("WEBHOOK_TOKEN is not set: whoever reaches the address can send messages")
        return warnings


class _FixedSettings(Settings):
    """Settings that do not look at the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _checked(cls: type[Settings], values: dict[str, Any]) -> Settings:
    """Build settings, turning the first thing wrong into one line."""
    for name in values:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean {near[0].upper()}?" if near else "see docs/settings.md for the names"
            raise UsageError(f"unknown setting {name.upper()}: {hint}")
    try:
        return cls(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        value = "***" if name in _SECRETS else repr(first["input"])
        said = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{name}={value} is refused: {said[:1].lower()}{said[1:]}") from None
