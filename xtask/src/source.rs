//! Reading Rust source just well enough to tell code from comments, literals and tests.

/// The text with every comment and the inside of every literal turned into spaces. Lines keep
/// their numbers, so that a finding in the result can be shown with its place in the original.
pub(crate) fn code_of(text: &str) -> String {
    let mut reader = Reader {
        chars: text.chars().collect(),
        at: 0,
        code: String::with_capacity(text.len()),
    };
    reader.read_all();
    reader.code
}

/// The number of the line (from 0) at which the tests of a file begin: `#[cfg(test)]` on a module
/// with a body, which by the house's order of items is the last thing in a file. `None` when a
/// file has no such module. Takes what [`code_of`] gave.
pub(crate) fn tests_begin(code: &str) -> Option<usize> {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    lines.iter().enumerate().position(|(number, line)| {
        line.starts_with("#[cfg(test)]")
            && lines
                .iter()
                .skip(number + 1)
                .find(|next| !next.is_empty() && !next.starts_with("#["))
                .is_some_and(|next| next.contains("mod ") && next.ends_with('{'))
    })
}

/// Whether everything in the file is test code, going by its path.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.starts_with("interop/")
        || path.starts_with("conformance/")
        || path.starts_with("fuzz/")
}

/// How often `word` stands in the code as a word of its own.
pub(crate) fn count_word(code: &str, word: &str) -> usize {
    code.split(|c: char| !is_word_char(c))
        .filter(|found| *found == word)
        .count()
}

fn is_word_char(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    code: String,
}

impl Reader {
    fn read_all(&mut self) {
        while let Some(c) = self.peek(0) {
            match (c, self.peek(1)) {
                ('/', Some('/')) => self.line_comment(),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('r', _) if !self.follows_word() || self.follows_byte_prefix() => {
                    self.raw_string_or_word();
                }
                ('\'', _) => self.char_or_lifetime(),
                _ => self.keep(),
            }
        }
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.blank();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.blank();
                    self.blank();
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.blank();
                    self.blank();
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => self.blank(),
                (None, _) => return,
            }
        }
    }

    fn string(&mut self) {
        self.keep();
        while let Some(c) = self.peek(0) {
            match c {
                '"' => return self.keep(),
                '\\' => {
                    self.blank();
                    self.blank();
                }
                _ => self.blank(),
            }
        }
    }

    fn raw_string_or_word(&mut self) {
        let mut hashes = 0;
        while self.peek(1 + hashes) == Some('#') {
            hashes += 1;
        }
        if self.peek(1 + hashes) != Some('"') {
            return self.keep();
        }
        for _ in 0..hashes + 2 {
            self.keep();
        }
        while self.peek(0).is_some() {
            let closes = self.peek(0) == Some('"')
                && (1..=hashes).all(|offset| self.peek(offset) == Some('#'));
            if closes {
                for _ in 0..=hashes {
                    self.keep();
                }
                return;
            }
            self.blank();
        }
    }

    /// `'a'` and `'\n'` are literals, `'a` in `&'a str` is not.
    fn char_or_lifetime(&mut self) {
        let is_escape = self.peek(1) == Some('\\');
        if !is_escape && self.peek(2) != Some('\'') {
            return self.keep();
        }
        self.keep();
        if is_escape {
            self.blank();
        }
        self.blank();
        while self.peek(0).is_some_and(|c| c != '\'' && c != '\n') {
            self.blank();
        }
        if self.peek(0) == Some('\'') {
            self.keep();
        }
    }

    /// Whether the character before this one belongs to a word, so that an `r` here is part of it.
    fn follows_word(&self) -> bool {
        self.before(1).is_some_and(is_word_char)
    }

    /// Whether this is the `r` of `br"…"` or `cr"…"`.
    fn follows_byte_prefix(&self) -> bool {
        matches!(self.before(1), Some('b' | 'c')) && !self.before(2).is_some_and(is_word_char)
    }

    fn before(&self, distance: usize) -> Option<char> {
        let at = self.at.checked_sub(distance)?;
        self.chars.get(at).copied()
    }

    fn peek(&self, offset: usize) -> Option<char> {
        self.chars.get(self.at + offset).copied()
    }

    fn keep(&mut self) {
        if let Some(c) = self.peek(0) {
            self.code.push(c);
            self.at += 1;
        }
    }

    fn blank(&mut self) {
        if let Some(c) = self.peek(0) {
            self.code.push(if c == '\n' { '\n' } else { ' ' });
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let text = "let a = \"unsafe \\\" // \"; // unsafe\nlet b /* unsafe /* unsafe */ */ = r#\"unsafe \" \"#;\nunsafe {}";
        let code = code_of(text);
        assert_eq!(count_word(&code, "unsafe"), 1);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(code.contains("let a") && code.contains("let b"));
    }

    #[test]
    fn a_char_is_a_literal_and_a_lifetime_is_not() {
        let code =
            code_of("fn f<'a>(x: &'a str) { m('\"'); m('\\''); m('\\u{41}'); /* x */ sleep() }");
        assert!(code.contains("fn f<'a>(x: &'a str)"), "{code}");
        assert!(code.contains("sleep()"), "{code}");
        assert!(!code.contains("41"), "{code}");
    }

    #[test]
    fn raw_and_byte_strings_end_where_they_end() {
        let code = code_of(
            "let x = br##\"a \"# unsafe\"##; let r#type = 1; let for_ = b\"unsafe\"; unsafe",
        );
        assert_eq!(count_word(&code, "unsafe"), 1);
        assert!(code.contains("r#type"), "{code}");
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        assert_eq!(
            count_word("#![forbid(unsafe_code)] unsafe_op unsafe", "unsafe"),
            1
        );
    }

    #[test]
    fn tests_begin_at_the_test_module_and_not_at_other_test_items() {
        let code = "fn a() {}\n#[cfg(test)]\nuse x;\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n";
        assert_eq!(tests_begin(code), Some(3));
        assert_eq!(tests_begin("#[cfg(test)]\nmod tests;\n"), None);
    }

    #[test]
    fn test_files_are_known_by_their_path() {
        assert!(is_test_file("crates/ws-proto/tests/closing.rs"));
        assert!(is_test_file("crates/ws-proto/src/inbound/tests.rs"));
        assert!(is_test_file("interop/node/client.mjs"));
        assert!(!is_test_file("crates/ws-proto/src/inbound.rs"));
    }
}
