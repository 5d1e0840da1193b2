import pytest
from httpx import ASGITransport, AsyncClient

from engine.buffer.errors import UsageError
from engine.buffer.plan.baseline import Baseline
from engine.buffer.plan.lock import Lock
from engine.buffer.production import connect, create_production_app
from engine.buffer.settings import Settings

KEY = {"Authorization": "Bearer service-key"}


async def test_a_client_has_a_time_out_of_5_s_and_no_retries_and_answers_bytes() -> None:
    client = connect("redis://localhost:1/3")
    options = client.connection_pool.connection_kwargs
    assert (options["socket_timeout"], options["socket_connect_timeout"], options["db"]) == (5, 5, 3)
    assert (options["decode_responses"], options["protocol"], options["retry"].get_retries()) == (False, 2, 0)
    await client.aclose()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://localhost:port"),
        ("PROCESSOR_URL", "localhost"),
        ("PROCESSOR_URL", "ftp://localhost"),
        ("BASE_URL", "http://"),
    ],
)
async def test_an_address_that_is_none_is_refused_in_one_line(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=name) as refused:
        create_production_app(Lock, Settings.fixed(None, {name: value}))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("enabled", [True, False])
async def test_what_the_monitoring_knows_is_served_to_those_who_have_the_key(enabled: bool) -> None:
    settings = Settings.fixed(None, {"REDIS_URL": "redis://localhost:1", "ENABLE_BUFFER_MONITORING": enabled})
    app = create_production_app(Lock, settings)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://service") as client,
    ):
        assert (await client.get("/health")).status_code == 503
        names = {"instance_name": "bot", "user_phone": "1", "message_id": "m1"}
        answers = [
            (await client.get("/metrics")).status_code,
            (await client.get("/metrics", headers=KEY)).status_code,
            (await client.get("/messages", params=names)).status_code,
            (await client.get("/messages", params=names, headers=KEY)).status_code,
            (await client.get("/messages", headers=KEY)).status_code,
        ]
    assert answers == ([401, 200, 401, 404, 400] if enabled else [404] * 5)


async def test_where_a_message_is_can_be_asked_over_http() -> None:
    closed = {"REDIS_URL": "redis://localhost:1", "PROCESSOR_URL": "http://localhost:1"}
    app = create_production_app(Baseline, Settings.fixed(None, closed))
    names = {"instance_name": "bot:1", "user_phone": "1", "message_id": "m1"}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app), base_url="http://service") as client,
    ):
        # Neither Redis nor the processor is there: the fallback's hand-over fails, so the message is not accepted.
        assert (await client.post("/webhook", json={**names, "text": "hello"})).status_code == 503
        found = await client.get("/messages", params=names, headers=KEY)
    assert (found.status_code, found.json()["stage"]) == (200, "failed")
