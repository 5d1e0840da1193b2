"""A conversation's state packed by cmsgpack inside of the script; a timer of the function and a slow net."""

import json
from typing import Any, ClassVar

from engine.buffer import Conversation, Delivery, HandOverError, HandOverRefused, Message, Receipt, Strategy

STATE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local raw = redis.call('GET', KEYS[1])
local s = raw and cmsgpack.unpack(raw) or {pending = {}, flight = {}, ids = {}}
local function save()
  if #s.pending == 0 and #s.flight == 0 then
    redis.call('SET', KEYS[1], cmsgpack.pack(s), 'EX', 4200)
    redis.call('SREM', KEYS[2], ARGV[1])
  else
    redis.call('SET', KEYS[1], cmsgpack.pack(s))
    redis.call('SADD', KEYS[2], ARGV[1])
  end
end
"""
ADD = (
    STATE
    + """
if not s.ids[ARGV[2]] then
  s.ids[ARGV[2]] = true
  table.insert(s.pending, ARGV[3])
  if #s.pending == 1 then s.due = now + ARGV[4] end
end
save()
return s.due and s.due - now or 0
"""
)
CLAIM = (
    STATE
    + """
if #s.flight == 0 then
  if #s.pending == 0 or s.due > now then return {} end
  s.flight, s.pending, s.key, s.tries = s.pending, {}, ARGV[2], 0
elseif s.lease > now then
  return {}
end
s.lease = now + 150000
s.fence = math.max(now, (s.fence or 0) + 1)
save()
return {s.key, string.format('%.0f', s.fence), s.tries, s.flight}
"""
)
SETTLE = (
    STATE
    + """
if #s.flight == 0 or string.format('%.0f', s.fence) ~= ARGV[2] then return 0 end
if ARGV[3] == 'again' then
  s.tries = s.tries + 1
  s.lease = now + 1000 * s.tries
else
  s.flight, s.key = {}, nil
end
save()
return 1
"""
)


class PackedState(Strategy):
    name = "packed_state"
    tick_ms: ClassVar[int | None] = 8_000

    async def _run(self, script: str, conversation: Conversation, *args: Any) -> Any:
        name = json.dumps([conversation.instance_name, conversation.user_phone])
        return await self.runtime.redis.eval(script, 2, f"buffer:{name}", "open", name, *args)

    async def receive(self, message: Message) -> Receipt:
        body = json.dumps([message.message_id, message.text, message.data])
        delay = self.runtime.settings.buffer_delay_ms
        wait = await self._run(ADD, message.conversation, json.dumps(message.message_id), body, delay)
        if wait > 0:
            self.runtime.start(self._later(message.conversation, wait / 1000))
        return Receipt(buffer_created=wait == delay)

    async def _later(self, conversation: Conversation, seconds: float) -> None:
        await self.runtime.sleep(seconds)
        await self.deliver(conversation)

    async def deliver(self, conversation: Conversation) -> Delivery:
        found = await self._run(CLAIM, conversation, f"{self.runtime.random.getrandbits(64):x}")
        if not found:
            return Delivery()
        key, fence, tries, bodies = found
        loaded = [json.loads(body) for body in bodies]
        messages = [Message(conversation=conversation, message_id=i, text=t, data=d) for i, t, d in loaded]
        what, status = "done", "success"
        try:
            await self.runtime.hand_over(messages, key=key.decode(), fence=int(fence))
        except HandOverRefused:
            return Delivery(success=False)
        except HandOverError as error:
            status = "failed"
            what = "again" if tries < self.runtime.settings.max_retry_attempts else "done"
            if what == "done":
                await self.runtime.dead_letter(messages, str(error))
        await self._run(SETTLE, conversation, fence, what)
        await self.runtime.report_status(conversation, status)
        return Delivery(success=status == "success", processed=len(messages))

    async def tick(self) -> None:
        for name in await self.runtime.redis.smembers("open"):
            instance, phone = json.loads(name)
            self.runtime.start(self.deliver(Conversation(instance_name=instance, user_phone=phone)))
