//! Finds the brace that ends a block of Lua: braces in its strings, comments and long brackets do not count.

use memchr::memmem;
use memchr::{memchr, memchr2};

/// Looks for the ends of Lua blocks in one text. What was looked for in vain once is not looked for again, so that a
/// text full of things that are never closed is read in linear time.
pub struct LuaBlocks<'t> {
    text: &'t [u8],
    /// No `]==]` of this level behind the place where one was looked for.
    unclosed_levels: Vec<usize>,
    unclosed_quotes: Vec<u8>,
}

impl<'t> LuaBlocks<'t> {
    pub fn new(text: &'t str) -> LuaBlocks<'t> {
        LuaBlocks { text: text.as_bytes(), unclosed_levels: Vec::new(), unclosed_quotes: Vec::new() }
    }

    /// Where the `}` stands that closes the block whose body begins at `at`.
    pub fn end(&mut self, mut at: usize) -> Option<usize> {
        let mut depth = 1;
        loop {
            match *self.text.get(at)? {
                b'{' => depth += 1,
                b'}' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                b'-' if self.text[at..].starts_with(b"--") => {
                    at = match self.long_bracket_end(at + 2) {
                        Some(end) => end,
                        None => at + memchr(b'\n', &self.text[at..])?,
                    };
                    continue;
                }
                b'[' => {
                    if let Some(end) = self.long_bracket_end(at) {
                        at = end;
                        continue;
                    }
                }
                quote @ (b'"' | b'\'') => {
                    if let Some(end) = self.string_end(at, quote) {
                        at = end;
                        continue;
                    }
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Behind the `]==]` of the long bracket that begins at `at`, if one does and is closed.
    fn long_bracket_end(&mut self, at: usize) -> Option<usize> {
        let behind = self.text.get(at..)?.strip_prefix(b"[")?;
        let level = behind.iter().take_while(|byte| **byte == b'=').count();
        if behind.get(level) != Some(&b'[') || self.unclosed_levels.contains(&level) {
            return None;
        }
        let closing = [&b"]"[..], &vec![b'='; level], b"]"].concat();
        let body = at + level + 2;
        let found = memmem::find(&self.text[body..], &closing);
        if found.is_none() {
            self.unclosed_levels.push(level);
        }
        Some(body + found? + closing.len())
    }

    /// Behind the closing quote of the string that begins at `at`, if it has one.
    fn string_end(&mut self, at: usize, quote: u8) -> Option<usize> {
        if self.unclosed_quotes.contains(&quote) {
            return None;
        }
        let mut inside = at + 1;
        while let Some(length) = self.text.get(inside..).and_then(|rest| memchr2(quote, b'\\', rest)) {
            inside += length + 1;
            if self.text[inside - 1] == quote {
                return Some(inside);
            }
            inside += 1;
        }
        self.unclosed_quotes.push(quote);
        None
    }
}
