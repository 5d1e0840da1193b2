import pytest
from redis.crc import key_slot

from engine.buffer import Conversation
from engine.buffer.lease.names import Keyspace, conversation_of, member_of

NAMES = ["", "bot", "a:b", "{x}", "}{", "a\nb", "100%", "%3A", "🙂", "\ud83d\ude42", "\ud800", "\x00"]


@pytest.mark.parametrize("instance", NAMES)
@pytest.mark.parametrize("phone", NAMES)
def test_a_conversation_is_read_back_from_its_member(instance: str, phone: str) -> None:
    conversation = Conversation(instance_name=instance, user_phone=phone)
    assert conversation_of(member_of(conversation).encode("ascii")) == conversation


def test_different_conversations_have_different_keys() -> None:
    keyspace = Keyspace("bp", 1)
    conversations = [Conversation(instance_name=a, user_phone=b) for a in NAMES for b in NAMES]
    keys = {keyspace.of(c).seen(message_id) for c in conversations for message_id in NAMES}
    assert len(keys) == len(NAMES) ** 3
    assert len({keyspace.of(c).digest for c in conversations}) == len(NAMES) ** 2


@pytest.mark.parametrize("instance", NAMES)
def test_all_keys_of_a_conversation_share_a_slot(instance: str) -> None:
    keys = Keyspace("bp", 16).of(Conversation(instance_name=instance, user_phone="{y}"))
    names = [keys.due, keys.dead, keys.part("state"), keys.part("pending"), keys.part("flight"), keys.seen("{z}")]
    assert len({key_slot(name.encode()) for name in names}) == 1


def test_conversations_spread_over_all_shards() -> None:
    keyspace = Keyspace("bp", 16)
    tags = {keyspace.of(Conversation(instance_name="bot", user_phone=str(n))).tag for n in range(400)}
    assert tags == {keyspace.tag(shard) for shard in range(16)}


def test_a_text_without_a_colon_is_no_member() -> None:
    with pytest.raises(ValueError, match="no member"):
        conversation_of(b"bot")
