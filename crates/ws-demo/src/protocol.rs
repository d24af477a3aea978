//! The messages of the chat protocol as JSON (RFC 8259): objects of strings come in, events go out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use ws_async::Message;

/// Members of an object that a peer may send; the chat's largest message has three.
const MAX_MEMBERS: usize = 8;

/// A flat JSON object of strings, as a member sent it.
///
/// The map rather than a struct with a field for each name is what refuses whatever else the message
/// may hold: a repeated name, a number, an array, an object in the object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object(BTreeMap<String, String>);

impl Object {
    /// Reads `{"name":"value",…}`, in which every value is a string. `None` for anything else, a
    /// repeated name included: which of two values counts would be a matter of taste.
    pub(crate) fn read(json: &str) -> Option<Self> {
        // The strings are taken as bytes below, and there a control character that should have been
        // escaped goes unnoticed. Skipping over everything notices it, without recursion.
        let IgnoredAny = serde_json::from_str(json).ok()?;
        serde_json::from_str(json).ok()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a flat object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<Text<'_>, Text<'_>>()? {
            if members.len() == MAX_MEMBERS {
                return Err(A::Error::custom("too many members"));
            }
            if members.insert(name.decode(), value.decode()).is_some() {
                return Err(A::Error::custom("a repeated name"));
            }
        }
        Ok(Object(members))
    }
}

/// A JSON string, which unlike a Rust string may hold lone surrogates: `JSON.stringify` writes them as
/// escapes. As bytes they arrive encoded like the characters around them.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, [u8]>);

impl Text<'_> {
    /// Each lone surrogate becomes U+FFFD, as it would in the text of a WebSocket message.
    fn decode(&self) -> String {
        let mut text = String::with_capacity(self.0.len());
        for chunk in self.0.utf8_chunks() {
            text.push_str(chunk.valid());
            // A surrogate is three bytes, each invalid by itself; the first is the same for all.
            if chunk.invalid() == [0xed] {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

/// What the server tells a room, or one member of it.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Event<'a> {
    Joined {
        room: &'a str,
        nick: &'a str,
        members: Vec<&'a str>,
    },
    Left {
        room: &'a str,
    },
    Arrived {
        nick: &'a str,
    },
    Departed {
        nick: &'a str,
    },
    Said {
        nick: &'a str,
        text: &'a str,
    },
    Published {
        delivered: usize,
        queued: usize,
        disconnected: usize,
    },
    Notice {
        text: &'a str,
    },
    Tick {
        seq: u64,
        members: usize,
    },
}

impl Event<'_> {
    /// The message, with the time at which it is said. Its clones share one allocation.
    pub(crate) fn message(&self) -> Message {
        #[derive(Serialize)]
        struct Timed<'a> {
            #[serde(flatten)]
            event: &'a Event<'a>,
            at: u64,
        }

        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        encode(&Timed {
            event: self,
            at: since_1970.as_millis().try_into().unwrap_or(u64::MAX),
        })
    }
}

/// What the server tells a member whose last message it refused.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename = "error")]
pub(crate) struct ErrorEvent {
    pub(crate) code: ErrorCode,
    pub(crate) text: &'static str,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorCode {
    BadMessage,
    NotJoined,
    AlreadyJoined,
    BadNick,
    BadRoom,
    BadText,
    NickTaken,
    RoomFull,
    TooManyRooms,
}

impl ErrorEvent {
    pub(crate) fn message(&self) -> Message {
        encode(self)
    }
}

/// A text message of JSON.
pub(crate) fn encode(value: &impl Serialize) -> Message {
    Message::text(serde_json::to_string(value).expect("nothing in it is without a form in JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_strings_is_read() {
        let object =
            Object::read(r#" { "type" : "say", "text":"a \"b\" \\ \/ \u4e2d\ud83d\udc4b\n" } "#)
                .expect("well formed");
        assert_eq!(object.text("type"), Some("say"));
        assert_eq!(object.text("text"), Some("a \"b\" \\ / 中👋\n"));
        assert_eq!(object.text("room"), None);
        assert_eq!(Object::read("{}"), Some(Object(BTreeMap::new())));
    }

    #[test]
    fn members_nobody_asked_for_are_left_alone() {
        let eight = r#"{"1":"","2":"","3":"","4":"","5":"","6":"","type":"leave","text":""}"#;
        let object = Object::read(eight).expect("as many as there may be");
        assert_eq!(object.text("type"), Some("leave"));
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (escaped, expected) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\udc4b", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"中\udfff\ud800中", "中\u{fffd}\u{fffd}中"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\ud83d\udc4b", "\u{fffd}👋"),
        ] {
            let object = Object::read(&format!(r#"{{"text":"{escaped}"}}"#)).expect(escaped);
            assert_eq!(object.text("text"), Some(expected), "{escaped}");
            let object = Object::read(&format!(r#"{{"{escaped}":"text"}}"#)).expect(escaped);
            assert_eq!(object.text(expected), Some("text"), "{escaped}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "{",
            "{}}",
            "[]",
            "null",
            r#"["say"]"#,
            r#"{"a"}"#,
            r#"{"a":1}"#,
            r#"{"a":null}"#,
            r#"{"a":["b"]}"#,
            r#"{"a":[98]}"#,
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":"b",}"#,
            r#"{"a":"b" "c":"d"}"#,
            r#"{"a":"b","a":"c"}"#,
            r#"{"a":"b","\u0061":"c"}"#,
            r#"{"a":"b}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            r#"{"a":"\u+123"}"#,
            r#"{"a":"\u12中"}"#,
            "{\"a\":\"line\nbreak\"}",
            "{\"line\nbreak\":\"a\"}",
            r#"{"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":""}"#,
        ] {
            assert_eq!(Object::read(text), None, "{text}");
        }
        for nested in ["{\"a\":", "[", "{\"a\":["] {
            assert_eq!(Object::read(&nested.repeat(100_000)), None);
        }
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Object::read(&format!("{{\"a\":{open}{close}}}")), None);
    }

    #[test]
    fn events_are_written_as_the_protocol_has_them() {
        let nick = "a\"\\\u{1}中";
        let events = [
            (
                Event::Joined {
                    room: "lobby",
                    nick,
                    members: vec!["b", nick],
                },
                r#""joined","room":"lobby","nick":"a\"\\\u0001中","members":["b","a\"\\\u0001中"]"#,
            ),
            (Event::Left { room: "lobby" }, r#""left","room":"lobby""#),
            (Event::Arrived { nick: "b" }, r#""arrived","nick":"b""#),
            (Event::Departed { nick: "b" }, r#""departed","nick":"b""#),
            (
                Event::Said {
                    nick: "b",
                    text: "",
                },
                r#""said","nick":"b","text":"""#,
            ),
            (
                Event::Published {
                    delivered: 3,
                    queued: 2,
                    disconnected: 1,
                },
                r#""published","delivered":3,"queued":2,"disconnected":1"#,
            ),
            (Event::Notice { text: "\n" }, r#""notice","text":"\n""#),
            (
                Event::Tick {
                    seq: u64::MAX,
                    members: 0,
                },
                r#""tick","seq":18446744073709551615,"members":0"#,
            ),
        ];
        for (event, expected) in events {
            let before = SystemTime::now();
            let message = event.message();
            let after = SystemTime::now();
            let (rest, at) = message
                .as_text()
                .and_then(|text| text.strip_suffix('}')?.rsplit_once(r#","at":"#))
                .expect("a time at the end");
            assert_eq!(rest, format!(r#"{{"type":{expected}"#));
            let millis =
                |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("now").as_millis();
            let at = at.parse().expect("a number");
            assert!((millis(before)..=millis(after)).contains(&at), "{at}");
        }
    }

    #[test]
    fn errors_are_written_as_the_protocol_has_them() {
        for (code, expected) in [
            (ErrorCode::BadMessage, "bad_message"),
            (ErrorCode::NotJoined, "not_joined"),
            (ErrorCode::AlreadyJoined, "already_joined"),
            (ErrorCode::BadNick, "bad_nick"),
            (ErrorCode::BadRoom, "bad_room"),
            (ErrorCode::BadText, "bad_text"),
            (ErrorCode::NickTaken, "nick_taken"),
            (ErrorCode::RoomFull, "room_full"),
            (ErrorCode::TooManyRooms, "too_many_rooms"),
        ] {
            let message = ErrorEvent { code, text: "why" }.message();
            assert_eq!(
                message.as_text(),
                Some(&*format!(
                    r#"{{"type":"error","code":"{expected}","text":"why"}}"#
                ))
            );
        }
    }

    #[test]
    fn every_string_survives_the_round_trip() {
        let text: String = (0..=0x2fff)
            .chain(0x1f440..0x1f460)
            .filter_map(char::from_u32)
            .collect();
        let message = encode(&BTreeMap::from([("text", &text)]));
        let object = message.as_text().and_then(Object::read);
        assert_eq!(object, Some(Object([("text".to_owned(), text)].into())));
    }
}
