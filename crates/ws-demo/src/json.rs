//! As much JSON (RFC 8259) as the demo speaks: objects of strings come in, flat objects go out.
//!
//! A peer's object is read without recursion and is as large as the message that carried it, so there
//! is no depth to exhaust and nothing to allocate beyond what was received.

use std::fmt::Write as _;

/// Members of an object that a peer may send; the chat's largest message has three.
const MAX_MEMBERS: usize = 8;

/// Reads `{"name":"value",…}`, in which every value is a string. `None` for anything else, a repeated
/// name included: which of two values counts would be a matter of taste.
pub(crate) fn read_object(text: &str) -> Option<Object> {
    let mut reader = Reader { rest: text };
    let mut members: Vec<(String, String)> = Vec::new();
    reader.token('{')?;
    if reader.token('}').is_none() {
        loop {
            let name = reader.string()?;
            reader.token(':')?;
            let value = reader.string()?;
            if members.len() == MAX_MEMBERS || members.iter().any(|(known, _)| *known == name) {
                return None;
            }
            members.push((name, value));
            if reader.token(',').is_none() {
                reader.token('}')?;
                break;
            }
        }
    }
    reader.skip_whitespace();
    reader.rest.is_empty().then_some(Object { members })
}

/// An object as a peer sent it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Object {
    members: Vec<(String, String)>,
}

impl Object {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Writes one flat object, member by member.
#[derive(Debug)]
pub(crate) struct ObjectWriter {
    out: String,
}

impl ObjectWriter {
    /// An object that begins with its `type`.
    pub(crate) fn of_type(name: &str) -> Self {
        Self::new().text("type", name)
    }

    pub(crate) fn new() -> Self {
        Self {
            out: String::from("{"),
        }
    }

    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        write_string(&mut self.out, value);
        self
    }

    pub(crate) fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        self.out.push_str(&value.to_string());
        self
    }

    pub(crate) fn texts<'a>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.name(name);
        self.array(values, write_string);
        self
    }

    /// An array of `[name, value]` pairs: header fields, whose names may repeat.
    pub(crate) fn pairs<'a>(
        mut self,
        name: &str,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        self.name(name);
        self.array(pairs, |out, (name, value)| {
            out.push('[');
            write_string(out, name);
            out.push(',');
            write_string(out, value);
            out.push(']');
        });
        self
    }

    pub(crate) fn finish(mut self) -> String {
        self.out.push('}');
        self.out
    }

    fn name(&mut self, name: &str) {
        if self.out.len() > 1 {
            self.out.push(',');
        }
        write_string(&mut self.out, name);
        self.out.push(':');
    }

    fn array<T>(&mut self, values: impl IntoIterator<Item = T>, write: fn(&mut String, T)) {
        self.out.push('[');
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            write(&mut self.out, value);
        }
        self.out.push(']');
    }
}

fn write_string(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                // Writing into a String cannot fail.
                let written = write!(out, "\\u{:04x}", u32::from(c));
                debug_assert!(written.is_ok());
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_whitespace(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn token(&mut self, token: char) -> Option<()> {
        self.skip_whitespace();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn string(&mut self) -> Option<String> {
        self.token('"')?;
        let mut value = String::new();
        loop {
            match self.next()? {
                '"' => return Some(value),
                '\\' => value.push(self.escape()?),
                c if c < ' ' => return None,
                c => value.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = self.code_unit()?;
                self.after_code_unit(unit)?
            }
            _ => return None,
        })
    }

    /// `JSON.stringify` writes a lone surrogate as an escape. A Rust string cannot hold one, so it
    /// becomes U+FFFD, as it would in the text of a WebSocket message.
    fn after_code_unit(&mut self, unit: u16) -> Option<char> {
        if !(0xd800..0xdc00).contains(&unit) {
            return Some(char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let before = self.rest;
        if let Some(rest) = self.rest.strip_prefix("\\u") {
            self.rest = rest;
            let low = self.code_unit()?;
            if let Some(Ok(c)) = char::decode_utf16([unit, low]).next() {
                return Some(c);
            }
            self.rest = before;
        }
        Some(char::REPLACEMENT_CHARACTER)
    }

    fn code_unit(&mut self) -> Option<u16> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u16::from_str_radix(digits, 16).ok()
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next()?;
        self.rest = chars.as_str();
        Some(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_strings_is_read() {
        let object =
            read_object(r#" { "type" : "say", "text":"a \"b\" \\ \/ \u4e2d\ud83d\udc4b\n" } "#)
                .expect("well formed");
        assert_eq!(object.text("type"), Some("say"));
        assert_eq!(object.text("text"), Some("a \"b\" \\ / 中👋\n"));
        assert_eq!(object.text("room"), None);
        assert_eq!(read_object("{}"), Some(Object { members: vec![] }));
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        for (escaped, expected) in [
            (r"\ud83d", "\u{fffd}"),
            (r"\udc4b", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\ud83d\udc4b", "\u{fffd}👋"),
        ] {
            let object = read_object(&format!(r#"{{"text":"{escaped}"}}"#)).expect(escaped);
            assert_eq!(object.text("text"), Some(expected), "{escaped}");
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
            r#"{"a"}"#,
            r#"{"a":1}"#,
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":"b",}"#,
            r#"{"a":"b" "c":"d"}"#,
            r#"{"a":"b","a":"c"}"#,
            r#"{"a":"b}"#,
            r#"{"a":"\x"}"#,
            r#"{"a":"\u12"}"#,
            r#"{"a":"\u+123"}"#,
            r#"{"a":"\u12中"}"#,
            "{\"a\":\"line\nbreak\"}",
            r#"{"1":"","2":"","3":"","4":"","5":"","6":"","7":"","8":"","9":""}"#,
        ] {
            assert_eq!(read_object(text), None, "{text}");
        }
        assert_eq!(read_object(&"{\"a\":".repeat(100_000)), None);
    }

    #[test]
    fn what_is_written_is_json() {
        let out = ObjectWriter::of_type("joined")
            .text("nick", "a\"\\\u{1}中")
            .number("at", u64::MAX)
            .texts("members", ["a", "b"])
            .texts("nobody", [])
            .pairs("headers", [("Host", "h"), ("Host", "i")])
            .finish();
        assert_eq!(
            out,
            r#"{"type":"joined","nick":"a\"\\\u0001中","at":18446744073709551615,"members":["a","b"],"nobody":[],"headers":[["Host","h"],["Host","i"]]}"#
        );
    }

    #[test]
    fn every_string_survives_the_round_trip() {
        let text: String = (0..=0x2fff)
            .chain(0x1f440..0x1f460)
            .filter_map(char::from_u32)
            .collect();
        let object =
            read_object(&ObjectWriter::new().text("text", &text).finish()).expect("well formed");
        assert_eq!(object.text("text"), Some(text.as_str()));
    }
}
