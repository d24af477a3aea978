//! Enough JSON to read what cargo and the conformance suite print. RFC 8259, with a depth limit.

use std::fmt;

/// Deeper than anything read here; keeps a hostile or broken file from using up the stack.
const MAX_DEPTH: usize = 64;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Array(Vec<Json>),
    /// In the order of the file.
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Result<Self, JsonError> {
        let mut parser = Parser {
            bytes: text.as_bytes(),
            at: 0,
        };
        let value = parser.value(0)?;
        parser.skip_space();
        if parser.at < parser.bytes.len() {
            return Err(parser.error("text after the value"));
        }
        Ok(value)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        let Self::Object(members) = self else {
            return None;
        };
        members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, value)| value)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object; empty for anything else.
    pub(crate) fn members(&self) -> &[(String, Json)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The text of a member; empty when it is absent, null or no text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.get(name).and_then(Self::as_str).unwrap_or_default()
    }

    /// The items of a member that is an array; empty when it is absent or no array.
    pub(crate) fn items(&self, name: &str) -> &[Json] {
        match self.get(name) {
            Some(Self::Array(items)) => items,
            _ => &[],
        }
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Self::Bool(true))
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Self::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

/// Where a text stops being JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct JsonError {
    offset: usize,
    expected: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "not JSON at byte {}: {}", self.offset, self.expected)
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deeply"));
        }
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        let mut members = Vec::new();
        self.expect(b'{', "an object")?;
        self.skip_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            let name = self.string()?;
            self.skip_space();
            self.expect(b':', "a colon")?;
            members.push((name, self.value(depth + 1)?));
            self.skip_space();
            if self.take(b'}') {
                return Ok(Json::Object(members));
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonError> {
        let mut items = Vec::new();
        self.expect(b'[', "an array")?;
        self.skip_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            self.expect(b',', "a comma or the end of the array")?;
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.expect(b'"', "a string")?;
        let mut text = Vec::new();
        loop {
            match self.next() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let unescaped = self.escape()?;
                    text.extend_from_slice(unescaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(byte) if byte >= 0x20 => text.push(byte),
                _ => return Err(self.error("the end of the string")),
            }
        }
        // The input was a `str` and only whole escapes were put in.
        String::from_utf8(text).map_err(|_| self.error("UTF-8"))
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        Ok(match self.next() {
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(same @ (b'"' | b'\\' | b'/')) => char::from(same),
            Some(b'u') => {
                let first = self.four_digits()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    self.expect(b'\\', "the second half of a surrogate pair")?;
                    self.expect(b'u', "the second half of a surrogate pair")?;
                    let second = self.four_digits()?;
                    let low = second.wrapping_sub(0xdc00) & 0x3ff;
                    0x1_0000 + ((first - 0xd800) << 10) + low
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.error("a Unicode character"))?
            }
            _ => return Err(self.error("an escape")),
        })
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let digits = self.bytes.get(self.at..self.at.saturating_add(4));
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.error("four hexadecimal digits"))?;
        self.at += 4;
        Ok(code)
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let begin = self.at;
        while self
            .peek()
            .is_some_and(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        {
            self.at += 1;
        }
        let digits = self.bytes.get(begin..self.at).unwrap_or_default();
        std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map(Json::Number)
            .ok_or_else(|| self.error("a value"))
    }

    fn word(&mut self, word: &'static str, value: Json) -> Result<Json, JsonError> {
        if self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()))
        {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.error(word))
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonError> {
        if self.take(byte) {
            Ok(())
        } else {
            Err(self.error(expected))
        }
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn error(&self, expected: &'static str) -> JsonError {
        JsonError {
            offset: self.at,
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_suite_writes() {
        let report = Json::parse(
            r#"{"agent": {"1.1.1": {"behavior": "OK", "duration": 1.5e1, "known": [true, null, -2]}}}"#,
        )
        .expect("this is JSON");
        let case = report
            .get("agent")
            .and_then(|agent| agent.get("1.1.1"))
            .expect("the case is there");
        assert_eq!(case.text("behavior"), "OK");
        assert_eq!(case.number("duration"), Some(15.0));
        assert_eq!(
            case.items("known"),
            [Json::Bool(true), Json::Null, Json::Number(-2.0)]
        );
        assert_eq!(case.text("absent"), "");
    }

    #[test]
    fn unescapes_strings() {
        let text = Json::parse(r#""a\"\\\/\n\u00e9\ud83d\ude00é""#).expect("this is JSON");
        assert_eq!(text.as_str(), Some("a\"\\/\né😀é"));
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "nul",
            "1 2",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"a",
            "-",
        ] {
            assert!(Json::parse(text).is_err(), "{text:?} was read as JSON");
        }
    }

    #[test]
    fn refuses_to_nest_for_ever() {
        let deep = "[".repeat(100_000);
        let error = Json::parse(&deep).expect_err("this is too deep");
        assert!(error.to_string().contains("nested too deeply"));
    }
}
