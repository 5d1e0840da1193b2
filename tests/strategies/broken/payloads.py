"""Defects of payloads, names and what is reported."""

import base64
import html
import json
import unicodedata
from typing import Any, ClassVar

from core import Core, changed

from engine.buffer import Conversation, HandOverError, Message


class Strips(Core):
    """Texts lose their blanks at the ends."""

    def text_of(self, text: str) -> str:
        """What becomes of a text."""
        return text.strip()

    def pack(self, message: Message) -> str:
        """With another text."""
        return json.dumps([message.message_id, self.text_of(message.text), message.data])


class StripsNewlines(Strips):
    """Texts lose the newline at their end."""

    def text_of(self, text: str) -> str:
        """As of a line that was read."""
        return text.rstrip("\n")


class LowersTexts(Strips):
    """Texts are written in lower case."""

    def text_of(self, text: str) -> str:
        """Lower case."""
        return text.lower()


class ComposesTexts(Strips):
    """Texts are brought into a normal form."""

    def text_of(self, text: str) -> str:
        """NFC."""
        return unicodedata.normalize("NFC", text)


class AsciiTexts(Strips):
    """What is not ASCII is left out."""

    def text_of(self, text: str) -> str:
        """ASCII."""
        return text.encode("ascii", "ignore").decode()


class LatinTexts(Strips):
    """What is not Latin-1 becomes a question mark."""

    def text_of(self, text: str) -> str:
        """Latin-1."""
        return text.encode("latin-1", "replace").decode("latin-1")


class EscapesTexts(Strips):
    """Texts are escaped for HTML."""

    def text_of(self, text: str) -> str:
        """Escaped."""
        return html.escape(text)


class CutsTexts(Strips):
    """Texts end after 500 characters."""

    def text_of(self, text: str) -> str:
        """The beginning."""
        return text[:500]


class JoinsBlanks(Strips):
    """Blanks in a row become one."""

    def text_of(self, text: str) -> str:
        """One blank between words."""
        while "  " in text:
            text = text.replace("  ", " ")
        return text


class CarriageReturns(Strips):
    """All ends of lines become the same."""

    def text_of(self, text: str) -> str:
        """As universal newlines."""
        return text.replace("\r\n", "\n").replace("\r", "\n")


class ReadsTexts(Core):
    """A text that looks like JSON is read as such."""

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """`123` becomes a number, and a text again: `1e3` is another one."""
        message = super().unpack(payload, conversation)
        try:
            text = str(json.loads(message.text))
        except ValueError:
            return message
        return Message(conversation=conversation, message_id=message.message_id, text=text, data=message.data)


class BarBetween(Core):
    """Id, text and data are joined by a bar, and split at it."""

    def pack(self, message: Message) -> str:
        """With a bar between."""
        return "|".join([f"{message.message_id!a}"[1:-1], f"{message.text!a}"[1:-1], json.dumps(message.data)])

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """The first, the second, and the rest."""
        message_id, text, data = (payload.decode().split("|", 2) + ["", "null"])[:3]
        plain = [each.encode().decode("unicode_escape") for each in (message_id, text)]
        try:
            value = json.loads(data)
        except ValueError:
            value = None
        return Message(conversation=conversation, message_id=plain[0], text=plain[1], data=value)


class WithoutData(Core):
    """The data is left out."""

    def data_of(self, data: Any) -> Any:
        """What becomes of the data."""
        return None

    def pack(self, message: Message) -> str:
        """With other data."""
        return json.dumps([message.message_id, message.text, self.data_of(message.data)])


class WithoutEmptyData(WithoutData):
    """Data that is false is left out."""

    def data_of(self, data: Any) -> Any:
        """`0`, `""`, `[]` and `{}` become nothing."""
        return data or None


class EmptyListsAsObjects(WithoutData):
    """An empty list comes out as an object, as of Lua's tables."""

    def data_of(self, data: Any) -> Any:
        """As through cjson."""
        if isinstance(data, dict):
            return {name: self.data_of(value) for name, value in data.items()}
        if isinstance(data, list):
            return [self.data_of(value) for value in data] or {}
        return data


class WithoutNulls(WithoutData):
    """Names whose value is nothing are left out."""

    def data_of(self, data: Any) -> Any:
        """Without nulls."""
        if isinstance(data, dict):
            return {name: self.data_of(value) for name, value in data.items() if value is not None}
        return data


class RoundsIntegers(WithoutData):
    """Whole numbers go through floating point."""

    def data_of(self, data: Any) -> Any:
        """As a double has them."""
        return json.loads(json.dumps(data), parse_int=lambda text: int(float(text)))


class FloatsBecomeWhole(WithoutData):
    """1.0 becomes 1."""

    def data_of(self, data: Any) -> Any:
        """As JavaScript writes them."""
        return json.loads(
            json.dumps(data), parse_float=lambda text: int(float(text)) if float(text).is_integer() else float(text)
        )


class DataAsText(WithoutData):
    """The data is written as a text."""

    def data_of(self, data: Any) -> Any:
        """JSON in JSON."""
        return None if data is None else json.dumps(data)


class JoinsTexts(Core):
    """A batch is one message: all texts, under the first id."""

    async def hand_over(self, messages: list[Message], key: str, fence: int) -> None:
        """Joined by newlines."""
        first = messages[0]
        text = "\n".join(message.text for message in messages)
        joined = Message(conversation=first.conversation, message_id=first.message_id, text=text, data=first.data)
        await super().hand_over([joined], key, fence)


class NewIds(Core):
    """Messages get ids of their own."""

    def pack(self, message: Message) -> str:
        """Another id."""
        return json.dumps([f"msg-{message.message_id}", message.text, message.data])


class DecodesLoosely(Core):
    """Payloads are UTF-8, and what has none is replaced."""

    def pack(self, message: Message) -> str:
        """Not in ASCII."""
        text = json.dumps([message.message_id, message.text, message.data], ensure_ascii=False)
        return text.encode("utf-8", "replace").decode()


# -- names -------------------------------------------------------------------------------------------------------------


class JoinedNames(Core):
    """Names are joined by a colon as they are."""

    between = ":"

    def name_of(self, conversation: Conversation) -> str:
        """Whose names read the same is the same."""
        joined = f"{conversation.instance_name}{self.between}{conversation.user_phone}"
        return joined.encode("utf-8", "surrogatepass").hex()

    def conversation_of(self, name: bytes) -> Conversation:
        """Split at the first."""
        instance, _, phone = bytes.fromhex(name.decode()).decode("utf-8", "surrogatepass").partition(self.between)
        return Conversation(instance_name=instance, user_phone=phone)


class NamesByUnderscore(JoinedNames):
    """Names are joined by an underscore."""

    between = "_"


class ByPhoneAlone(Core):
    """All instances of a phone are one."""

    def name_of(self, conversation: Conversation) -> str:
        """Of the instance `bot`."""
        return json.dumps(["bot", conversation.user_phone])


class ByInstanceAlone(Core):
    """All phones of an instance share a buffer, which is answered to the first of them."""

    def name_of(self, conversation: Conversation) -> str:
        """The instance."""
        return json.dumps([conversation.instance_name])

    def pack(self, message: Message) -> str:
        """With the phone."""
        return json.dumps([message.message_id, message.text, message.data, message.conversation.user_phone])

    def conversation_of(self, name: bytes) -> Conversation:
        """Of nobody yet."""
        return Conversation(instance_name=json.loads(name)[0], user_phone="")

    async def process(self, name: bytes, key: str, fence: int, tries: int, messages: list[Message]) -> None:
        """To the first one's phone."""
        await super().process(name, key, fence, tries, messages)

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """To its phone; `hand_over` takes the first message's."""
        message_id, text, data, phone = json.loads(payload)
        return Message(
            conversation=Conversation(instance_name=conversation.instance_name, user_phone=phone),
            message_id=message_id,
            text=text,
            data=data,
        )


class DigitsOfThePhone(Core):
    """A phone is its digits."""

    def name_of(self, conversation: Conversation) -> str:
        """Without what is no digit."""
        digits = "".join(c for c in conversation.user_phone if c.isdigit()) or conversation.user_phone
        return json.dumps([conversation.instance_name, digits])


class LowerNames(Core):
    """Names are written in lower case."""

    def name_of(self, conversation: Conversation) -> str:
        """Lower case."""
        return json.dumps([conversation.instance_name.lower(), conversation.user_phone.lower()])


class Shards(Core):
    """Conversations share one of four buffers, and the last one that wrote gets the answer."""

    def name_of(self, conversation: Conversation) -> str:
        """The number of a buffer."""
        return str(sum(map(ord, conversation.instance_name + conversation.user_phone)) % 4)

    def pack(self, message: Message) -> str:
        """With its names."""
        who = message.conversation
        return json.dumps([message.message_id, message.text, message.data, who.instance_name, who.user_phone])

    def conversation_of(self, name: bytes) -> Conversation:
        """Of nobody yet."""
        return Conversation(instance_name=name.decode(), user_phone="")

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """`hand_over` takes the first message's conversation for all."""
        message_id, text, data, instance, phone = json.loads(payload)
        who = Conversation(instance_name=instance, user_phone=phone)
        return Message(conversation=who, message_id=message_id, text=text, data=data)


class RemembersTheLast(Core):
    """The conversation that is being worked on is an attribute, which another task changes meanwhile."""

    async def work(self, name: bytes) -> None:
        """Remember, claim, hand over to whoever is remembered."""
        self._conversation = self.conversation_of(name)
        claim = await self.claim(name)
        if not claim:
            return
        key, fence, tries, payloads = claim
        messages = [self.unpack(payload, self._conversation) for payload in payloads]
        await self.process(name, key.decode(), int(fence), int(tries), messages)


class EncodesTwice(Core):
    """A text goes through base64 as UTF-8 and comes back as Latin-1."""

    def pack(self, message: Message) -> str:
        """Base64."""
        text = base64.b64encode(message.text.encode("utf-8", "surrogatepass")).decode()
        return json.dumps([message.message_id, text, message.data])

    def unpack(self, payload: bytes, conversation: Conversation) -> Message:
        """Mojibake."""
        message_id, text, data = json.loads(payload)
        plain = base64.b64decode(text).decode("latin-1")
        return Message(conversation=conversation, message_id=message_id, text=plain, data=data)
