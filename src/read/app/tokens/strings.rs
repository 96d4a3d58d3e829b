//! String literals: quotes, escapes, and the code within them.

use std::ops::Range;

use crate::read::app::tokens::{Kind, Language, NONE, Piece, Reader, Token};

impl Reader<'_> {
    /// A string with its prefix.
    pub(super) fn string(&mut self) -> bool {
        let start = self.at;
        let mut prefix = 0;
        let longest = match self.language {
            Language::Python | Language::CSharp => 2,
            Language::Rust => 2,
            _ => 0,
        };
        while prefix < longest
            && matches!(
                (self.language, self.byte(prefix)),
                (Language::Python, b'r' | b'R' | b'b' | b'B' | b'f' | b'F' | b'u' | b'U')
                    | (Language::CSharp, b'$' | b'@')
                    | (Language::Rust, b'b' | b'r' | b'c')
            )
        {
            prefix += 1;
        }
        let marks = self.source[start..start + prefix].to_ascii_lowercase();
        if self.language == Language::Rust && marks.ends_with('r') && self.rust_raw(prefix) {
            return true;
        }
        let quote = self.byte(prefix);
        let quoted = match self.language {
            Language::JavaScript | Language::Go => matches!(quote, b'"' | b'\'' | b'`'),
            Language::Python | Language::Ruby => matches!(quote, b'"' | b'\''),
            Language::Rust | Language::CSharp => quote == b'"' || (quote == b'\'' && prefix == 0),
        };
        if !quoted {
            return false;
        }
        if quote == b'\'' && matches!(self.language, Language::Rust | Language::CSharp | Language::Go) {
            return self.character(start);
        }
        self.at = start + prefix;
        let triple = matches!(self.language, Language::Python | Language::CSharp)
            && self.byte(1) == quote
            && self.byte(2) == quote
            && (self.language == Language::Python || prefix == 0 || marks == "$");
        let raw = marks.contains('r') || marks.contains('@') || (self.language == Language::Go && quote == b'`');
        let form = Form {
            close: quote,
            width: if triple { 3 } else { 1 },
            escapes: !(raw || self.language == Language::Ruby && quote == b'\''),
            lines: triple || quote == b'`' || self.language == Language::Rust || marks.contains('@'),
            code: match self.language {
                Language::JavaScript if quote == b'`' => Code::Dollar,
                Language::Python if marks.contains('f') => Code::Brace,
                Language::CSharp if marks.contains('$') => Code::Brace,
                Language::Ruby if quote == b'"' => Code::Hash,
                _ => Code::None,
            },
        };
        self.at += form.width;
        let pieces = self.pieces(&form);
        self.finish_string(start, pieces);
        true
    }

    fn finish_string(&mut self, start: usize, pieces: Vec<Piece>) {
        self.out.strings.push(pieces);
        let index = (self.out.strings.len() - 1) as u32;
        let line_start = self.line_start;
        if let Some(last) = memchr::memrchr(b'\n', &self.bytes[start..self.at]) {
            self.line_start = start + last + 1;
        }
        self.out.list.push(Token {
            kind: Kind::Text,
            start: start as u32,
            end: self.at as u32,
            new_line: self.new_line,
            column: (start - line_start.min(start)) as u32,
            partner: index,
        });
        self.new_line = false;
    }

    /// `r"…"`, `r#"…"#`.
    fn rust_raw(&mut self, prefix: usize) -> bool {
        let start = self.at;
        let mut hashes = 0;
        while self.byte(prefix + hashes) == b'#' && hashes < 16 {
            hashes += 1;
        }
        if self.byte(prefix + hashes) != b'"' {
            return false;
        }
        let open = start + prefix + hashes + 1;
        let close = format!("\"{}", "#".repeat(hashes));
        let length = self.source[open..self.end].find(&close).unwrap_or(self.end - open);
        self.at = (open + length + close.len()).min(self.end);
        self.finish_string(start, vec![Piece::Verbatim(open..open + length)]);
        true
    }

    /// A character literal, or a Rust lifetime.
    fn character(&mut self, start: usize) -> bool {
        let rest = &self.source[start + 1..self.end];
        let mut characters = rest.char_indices();
        let length = match characters.next() {
            Some((_, '\\')) => rest.as_bytes().iter().take(12).skip(2).position(|byte| *byte == b'\'').map(|at| at + 3),
            Some(_) => characters.next().filter(|(_, second)| *second == '\'').map(|(at, _)| at + 1),
            None => None,
        };
        self.at = start + 1 + length.unwrap_or(0);
        self.push(Kind::Other, start, NONE);
        true
    }

    fn pieces(&mut self, form: &Form) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut plain = self.at;
        while self.at < self.end {
            let byte = self.byte(0);
            let closes =
                byte == form.close && (form.width == 1 || (self.byte(1) == form.close && self.byte(2) == form.close));
            if closes {
                self.keep(&mut pieces, plain);
                self.at += form.width;
                return pieces;
            }
            if byte == b'\n' && !form.lines {
                break;
            }
            if byte == b'\\' && form.escapes {
                self.keep(&mut pieces, plain);
                self.escape(&mut pieces);
                plain = self.at;
                continue;
            }
            if form.code == Code::Brace && matches!(byte, b'{' | b'}') && self.byte(1) == byte {
                self.keep(&mut pieces, plain);
                let brace = (byte as char).to_string();
                pieces.push(Piece::Fixed(brace, self.at..self.at + 2));
                self.at += 2;
                plain = self.at;
                continue;
            }
            let opens = match form.code {
                Code::None => 0,
                Code::Brace => usize::from(byte == b'{'),
                Code::Dollar => 2 * usize::from(byte == b'$' && self.byte(1) == b'{'),
                Code::Hash => 2 * usize::from(byte == b'#' && self.byte(1) == b'{'),
            };
            if opens > 0 {
                self.keep(&mut pieces, plain);
                self.at += opens;
                let start = self.at;
                let end = self.code_end(form);
                pieces.push(self.code_piece(start..end, form.code));
                plain = self.at;
                continue;
            }
            self.at += 1;
        }
        self.keep(&mut pieces, plain);
        pieces
    }

    fn keep(&self, pieces: &mut Vec<Piece>, plain: usize) {
        if plain < self.at {
            pieces.push(Piece::Verbatim(plain..self.at));
        }
    }

    fn escape(&mut self, pieces: &mut Vec<Piece>) {
        let start = self.at;
        self.at += 1;
        let Some(escaped) = self.source[self.at..self.end].chars().next() else { return };
        self.at += escaped.len_utf8();
        let decoded = match escaped {
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            'r' => "\r".to_owned(),
            '0' => "\0".to_owned(),
            '\n' => String::new(),
            'x' | 'u' | 'U' | 'N' => return pieces.push(Piece::Unclear(start..self.at)),
            other => other.to_string(),
        };
        pieces.push(Piece::Fixed(decoded, start..self.at));
    }

    /// Moves behind the `}` that ends the code in a string, and says where the code ended.
    fn code_end(&mut self, form: &Form) -> usize {
        let mut depth = 0usize;
        // Templates in code in templates: `true` for a template, `false` for code within one.
        let mut nested: Vec<usize> = Vec::new();
        let mut in_template = false;
        while self.at < self.end {
            let byte = self.byte(0);
            if byte == b'\n' && !form.lines {
                return self.at;
            }
            if in_template {
                match byte {
                    b'\\' => self.at += 1,
                    b'`' => {
                        in_template = false;
                        depth = nested.pop().unwrap_or(0);
                    }
                    b'$' if self.byte(1) == b'{' => {
                        self.at += 1;
                        in_template = false;
                        nested.push(usize::MAX);
                        depth = 0;
                    }
                    _ => {}
                }
                self.at += 1;
                continue;
            }
            match byte {
                b'{' | b'(' | b'[' => depth += 1,
                b')' | b']' => depth = depth.saturating_sub(1),
                b'}' if depth == 0 && nested.last() == Some(&usize::MAX) => {
                    nested.pop();
                    in_template = true;
                }
                b'}' if depth == 0 => {
                    let end = self.at;
                    self.at += 1;
                    return end;
                }
                b'}' => depth -= 1,
                b'`' if form.code == Code::Dollar => {
                    nested.push(depth);
                    in_template = true;
                }
                b'"' | b'\'' if byte != form.close || form.width == 3 => self.skip_quoted(byte),
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.end.min(self.at);
        self.end
    }

    /// From an opening quote to its closing one, or to the end of the line.
    fn skip_quoted(&mut self, quote: u8) {
        let mut at = self.at + 1;
        while at < self.end && self.bytes[at] != b'\n' {
            if self.bytes[at] == quote {
                self.at = at;
                return;
            }
            at += if self.bytes[at] == b'\\' { 2 } else { 1 };
        }
        self.at = at.min(self.end).saturating_sub(1).max(self.at);
    }

    fn code_piece(&self, range: Range<usize>, code: Code) -> Piece {
        let range = range.start.min(range.end)..range.end;
        if code != Code::Brace {
            return Piece::Code(range);
        }
        let text = self.source.get(range.clone()).unwrap_or("");
        let mut depth = 0usize;
        let mut quote = None;
        for (at, byte) in text.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), _) if open == byte => quote = None,
                (Some(_), _) => {}
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'(' | b'[' | b'{') => depth += 1,
                (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
                (None, b':') if depth == 0 => {
                    let plain = matches!(&text[at + 1..], "d" | "s" | "");
                    let expression = range.start..range.start + at;
                    return if plain { Piece::Code(expression) } else { Piece::Unclear(range) };
                }
                _ => {}
            }
        }
        Piece::Code(range)
    }
}

struct Form {
    close: u8,
    /// How many quotes open and close it.
    width: usize,
    escapes: bool,
    /// It may hold line breaks.
    lines: bool,
    code: Code,
}

/// How code stands in a string.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    None,
    /// `{x}`
    Brace,
    /// `${x}`
    Dollar,
    /// `#{x}`
    Hash,
}
