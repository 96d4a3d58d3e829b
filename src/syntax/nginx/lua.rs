//! Finds the brace that ends a block of Lua: braces in its strings, comments and long brackets do not count.

use std::collections::BTreeMap;

use memchr::memmem;
use memchr::{memchr, memchr_iter, memchr2};

/// Looks for the ends of Lua blocks in one text. Nothing is looked for that is not there, so that a text full of things
/// that are never closed is read in linear time.
pub struct LuaBlocks<'t> {
    text: &'t [u8],
    /// For each number of `=`, where the last `]==]` of the text begins; counted when the first one is needed.
    last_closings: Option<BTreeMap<usize, usize>>,
    /// Quotes that were looked for in vain up to the end of the text.
    unclosed_quotes: Vec<u8>,
}

impl<'t> LuaBlocks<'t> {
    pub fn new(text: &'t str) -> LuaBlocks<'t> {
        LuaBlocks { text: text.as_bytes(), last_closings: None, unclosed_quotes: Vec::new() }
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
        if behind.get(level) != Some(&b'[') {
            return None;
        }
        let body = at + level + 2;
        let last = *self.last_closings.get_or_insert_with(|| last_closings(self.text)).get(&level)?;
        if last < body {
            return None;
        }
        let closing = [&b"]"[..], &vec![b'='; level], b"]"].concat();
        Some(body + memmem::find(&self.text[body..], &closing)? + closing.len())
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

fn last_closings(text: &[u8]) -> BTreeMap<usize, usize> {
    let mut last = BTreeMap::new();
    for at in memchr_iter(b']', text) {
        let level = text[at + 1..].iter().take_while(|byte| **byte == b'=').count();
        if text.get(at + 1 + level) == Some(&b']') {
            last.insert(level, at);
        }
    }
    last
}
