//! Which names a program gives to which expressions, and what it imports.

use std::collections::HashMap;

use crate::read::app::blocks::Blocks;
use crate::read::app::tokens::{Kind, Language, NONE, Piece, Tokens};

/// One assignment, declaration or import of a name.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Token index of the name; of the keyword before a pattern.
    pub token: usize,
    /// `const`, `let`, `:=`: the name is new in its block.
    pub declares: bool,
    /// Token index where the value begins; `None`: declared without one, or by an import.
    pub value: Option<usize>,
    /// Only a part of the value.
    pub part: Part,
    pub module: Option<Import>,
    /// `x ||= 1`, `x += 1`: the old value counts, too.
    pub updates: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// `{ key } = value`, with the token index of a default.
    Key(String, Option<usize>),
    /// `a, b = value`
    Item(usize),
    /// It is bound in a way that is not read: a loop, a pattern.
    Unclear,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// As it is written: `./config`, `flask`, `.settings`.
    pub module: String,
    /// The name within it; `None`: the module itself or its default.
    pub name: Option<String>,
}

pub fn bindings(source: &str, tokens: &Tokens, blocks: &Blocks, language: Language) -> HashMap<String, Vec<Binding>> {
    let mut reader =
        Reader { source, tokens, blocks, language, bracket: enclosing_brackets(source, tokens), found: HashMap::new() };
    let mut at = 0;
    while at < tokens.list.len() {
        at = reader.statement(at).max(at + 1);
    }
    for list in reader.found.values_mut() {
        list.sort_by_key(|binding| binding.token);
    }
    reader.found
}

/// For each token, the innermost open bracket.
fn enclosing_brackets(source: &str, tokens: &Tokens) -> Vec<u32> {
    let mut open: Vec<u32> = Vec::new();
    let mut found = Vec::with_capacity(tokens.list.len());
    for (index, token) in tokens.list.iter().enumerate() {
        let bracket = token.kind == Kind::Symbol && token.partner != NONE;
        if bracket && (token.partner as usize) < index {
            while open.last().is_some_and(|last| *last >= token.partner) {
                open.pop();
            }
        }
        found.push(open.last().copied().unwrap_or(NONE));
        if bracket && (token.partner as usize) > index && source.is_char_boundary(token.start as usize) {
            open.push(index as u32);
        }
    }
    found
}

struct Reader<'t> {
    source: &'t str,
    tokens: &'t Tokens,
    blocks: &'t Blocks,
    language: Language,
    bracket: Vec<u32>,
    found: HashMap<String, Vec<Binding>>,
}

impl<'t> Reader<'t> {
    fn word(&self, at: usize) -> &'t str {
        self.tokens.list.get(at).map_or("", |token| &self.source[token.start as usize..token.end as usize])
    }

    fn name(&self, at: usize) -> &'t str {
        if self.tokens.list.get(at).is_some_and(|token| token.kind == Kind::Name) { self.word(at) } else { "" }
    }

    fn symbol(&self, at: usize) -> &'t str {
        if self.tokens.list.get(at).is_some_and(|token| token.kind == Kind::Symbol) { self.word(at) } else { "" }
    }

    fn is_new_line(&self, at: usize) -> bool {
        self.tokens.list.get(at).is_none_or(|token| token.new_line)
    }

    fn partner(&self, at: usize) -> Option<usize> {
        let partner = self.tokens.list.get(at)?.partner;
        (self.tokens.list[at].kind == Kind::Symbol && partner != NONE && partner as usize > at)
            .then_some(partner as usize)
    }

    fn plain_text(&self, at: usize) -> Option<&'t str> {
        let token = self.tokens.list.get(at).filter(|token| token.kind == Kind::Text)?;
        match self.tokens.strings.get(token.partner as usize)?.as_slice() {
            [Piece::Verbatim(range)] => self.source.get(range.clone()),
            _ => None,
        }
    }

    fn add(&mut self, token: usize, declares: bool, value: Option<usize>, part: Part) {
        let name = self.name(token).to_owned();
        if name.is_empty() {
            return;
        }
        let binding = Binding { token, declares, value, part, module: None, updates: false };
        self.found.entry(name).or_default().push(binding);
    }

    fn import(&mut self, token: usize, local: &str, module: &str, name: Option<&str>) {
        let import = Import { module: module.to_owned(), name: name.map(str::to_owned) };
        self.found.entry(local.to_owned()).or_default().push(Binding {
            token,
            declares: true,
            value: None,
            part: Part::Whole,
            module: Some(import),
            updates: false,
        });
    }

    /// Reads what begins at `at` and says where to go on.
    fn statement(&mut self, at: usize) -> usize {
        let word = self.name(at);
        match (self.language, word) {
            (Language::JavaScript, "import") => return self.javascript_import(at),
            (Language::Python, "import") if self.is_new_line(at) => return self.python_import(at),
            (Language::Python, "from") if self.is_new_line(at) => return self.python_from(at),
            (Language::Python, "for") => self.add(at + 1, false, None, Part::Unclear),
            (Language::Go, "import") => return self.go_import(at),
            (Language::Rust, "use") => return self.path_import(at),
            (Language::CSharp, "using") => return self.path_import(at),
            (Language::JavaScript, "const" | "let" | "var") if self.symbol(at + 1) == "{" => {
                return self.pattern(at + 1);
            }
            (Language::JavaScript, "const" | "let" | "var") if self.symbol(at + 1) == "[" => {
                return self.partner(at + 1).map_or(at + 1, |close| close + 1);
            }
            (Language::JavaScript, "const" | "let" | "var") | (Language::Go, "var" | "const") => {
                return self.declaration(at + 1);
            }
            (Language::Rust, "let" | "const" | "static") => {
                let name = if self.name(at + 1) == "mut" { at + 2 } else { at + 1 };
                return self.declaration(name);
            }
            (_, "") => return at + 1,
            _ => {}
        }
        self.assignment(at)
    }

    /// `name = value`, `name: Type = value`, `name`.
    fn declaration(&mut self, name: usize) -> usize {
        if self.name(name).is_empty() {
            return name;
        }
        let furthest = (name + 1..name + 14)
            .take_while(|at| !matches!(self.symbol(*at), "," | ";" | "(" | ")" | "{" | "}") && !self.is_new_line(*at));
        let equals = furthest.into_iter().find(|at| self.symbol(*at) == "=");
        // Several names at once.
        if self.language == Language::Go && self.symbol(name + 1) == "," {
            return name;
        }
        // `for (const port of ports)`
        let part = if matches!(self.name(name + 1), "of" | "in") { Part::Unclear } else { Part::Whole };
        self.add(name, true, equals.map(|equals| equals + 1), part);
        equals.unwrap_or(name) + 1
    }

    fn assignment(&mut self, at: usize) -> usize {
        let operator = self.symbol(at + 1);
        let before = at.checked_sub(1).map_or("", |before| self.symbol(before));
        if matches!(before, "." | "?." | "->" | "::") {
            return at + 1;
        }
        // Python's `name: type = value`.
        if self.language == Language::Python && operator == ":" && self.is_new_line(at) && self.at_block_level(at) {
            return self.declaration_python(at);
        }
        if !matches!(operator, "=" | ":=" | "||=" | "??=" | "+=" | "&&=" | "-=" | "*=") || !self.at_block_level(at) {
            return at + 1;
        }
        let several = before == "," && matches!(self.language, Language::Go | Language::Python | Language::Ruby);
        if several {
            let mut names = vec![at];
            while names.len() < 5 {
                let last = names[names.len() - 1];
                if last < 2 || self.symbol(last - 1) != "," || self.name(last - 2).is_empty() {
                    break;
                }
                names.push(last - 2);
            }
            for (index, name) in names.iter().rev().enumerate() {
                self.add(*name, operator == ":=", Some(at + 2), Part::Item(index));
            }
            return at + 2;
        }
        let typed = self.language == Language::CSharp
            && at.checked_sub(1).is_some_and(|before| !self.name(before).is_empty() && !self.is_new_line(at));
        let declares = operator == ":=" || typed || (self.language == Language::JavaScript && before == ",");
        let name = self.name(at).to_owned();
        self.found.entry(name).or_default().push(Binding {
            token: at,
            declares,
            value: Some(at + 2),
            part: Part::Whole,
            module: None,
            updates: !matches!(operator, "=" | ":="),
        });
        at + 2
    }

    fn declaration_python(&mut self, at: usize) -> usize {
        let mut equals = at + 2;
        // list[int] = …
        for _ in 0..12 {
            if self.is_new_line(equals) || self.symbol(equals) == "=" {
                break;
            }
            equals = self.partner(equals).unwrap_or(equals) + 1;
        }
        if self.symbol(equals) == "=" {
            self.add(at, false, Some(equals + 1), Part::Whole);
        }
        at + 2
    }

    /// It stands in a block, not among arguments or in a list.
    fn at_block_level(&self, at: usize) -> bool {
        let bracket = self.bracket.get(at).copied().unwrap_or(NONE);
        if bracket == NONE {
            return true;
        }
        match self.symbol(bracket as usize) {
            "{" => !matches!(self.language, Language::Python),
            // Go's `const (` and `var (`.
            "(" if self.language == Language::Go => {
                bracket > 0 && matches!(self.name(bracket as usize - 1), "const" | "var")
            }
            _ => false,
        }
    }

    /// `{ port, host: address = 'x' } = value`
    fn pattern(&mut self, open: usize) -> usize {
        let Some(close) = self.partner(open) else { return open + 1 };
        if self.symbol(close + 1) != "=" {
            return open + 1;
        }
        let value = close + 2;
        let mut at = open + 1;
        while at < close {
            let key = self.name(at).to_owned();
            let renamed = self.symbol(at + 1) == ":";
            let local = if renamed { at + 2 } else { at };
            let default = (self.symbol(local + 1) == "=").then_some(local + 2);
            let name = self.name(local).to_owned();
            if !key.is_empty() && !name.is_empty() {
                // The keyword stands for the name: the braces of the pattern are no block.
                let (token, part) = (open - 1, Part::Key(key, default));
                let binding = Binding { token, declares: true, value: Some(value), part, module: None, updates: false };
                self.found.entry(name).or_default().push(binding);
            }
            while at < close && self.symbol(at) != "," {
                at = self.partner(at).unwrap_or(at) + 1;
            }
            at += 1;
        }
        value
    }

    fn javascript_import(&mut self, at: usize) -> usize {
        // import a, { b as c } from 'm'; import * as d from 'm'; import e = require('m')
        let furthest = (at + 1..at + 80).take_while(|at| *at < self.tokens.list.len());
        let Some(from) = furthest.into_iter().find(|at| self.plain_text(*at).is_some()) else { return at + 1 };
        let Some(module) = self.plain_text(from) else { return at + 1 };
        if self.name(from - 1) != "from" {
            if self.symbol(at + 2) == "=" && self.name(at + 3) == "require" {
                self.import(at + 1, self.name(at + 1), module, None);
            }
            return at + 1;
        }
        let mut inside = false;
        let mut index = at + 1;
        while index + 1 < from {
            match self.symbol(index) {
                "{" => inside = true,
                "}" => inside = false,
                _ => {}
            }
            let name = self.name(index);
            if !name.is_empty() && name != "type" {
                let local = if self.name(index + 1) == "as" { index + 2 } else { index };
                let exported = (inside && name != "default").then_some(name);
                self.import(local, self.name(local), module, exported);
                index = local;
            } else if self.symbol(index) == "*" && self.name(index + 1) == "as" {
                self.import(index + 2, self.name(index + 2), module, Some("*"));
                index += 2;
            }
            index += 1;
        }
        from + 1
    }

    /// `a.b.c` from `at` on, and where it ends.
    fn dotted(&self, mut at: usize) -> (String, usize) {
        let mut name = String::new();
        while matches!(self.symbol(at), "." | "..." | "..") {
            name.push_str(self.symbol(at));
            at += 1;
        }
        // `from . import x` has no name here.
        while !self.name(at).is_empty() && self.name(at) != "import" {
            name.push_str(self.name(at));
            at += 1;
            if self.symbol(at) != "." {
                break;
            }
            name.push('.');
            at += 1;
        }
        (name, at)
    }

    fn python_import(&mut self, at: usize) -> usize {
        let mut index = at + 1;
        loop {
            let first = index;
            let (module, end) = self.dotted(index);
            if module.is_empty() {
                return end.max(at + 1);
            }
            if self.name(end) == "as" {
                self.import(end + 1, self.name(end + 1), &module, None);
                index = end + 2;
            } else {
                // `import a.b` binds `a`.
                self.import(first, self.name(first), &module, None);
                index = end;
            }
            if self.symbol(index) != "," {
                return index;
            }
            index += 1;
        }
    }

    fn python_from(&mut self, at: usize) -> usize {
        let (module, end) = self.dotted(at + 1);
        if self.name(end) != "import" {
            return at + 1;
        }
        let parenthesis = self.symbol(end + 1) == "(";
        let mut index = if parenthesis { end + 2 } else { end + 1 };
        loop {
            if self.symbol(index) == "*" {
                self.import(index, "*", &module, None);
                return index + 1;
            }
            let name = self.name(index);
            if name.is_empty() || (self.is_new_line(index) && !parenthesis) {
                return index;
            }
            let local = if self.name(index + 1) == "as" { index + 2 } else { index };
            self.import(local, self.name(local), &module, Some(name));
            index = local + 1;
            if self.symbol(index) != "," {
                return index;
            }
            index += 1;
        }
    }

    fn go_import(&mut self, at: usize) -> usize {
        let (first, close) = if self.symbol(at + 1) == "(" {
            (at + 2, self.partner(at + 1).unwrap_or(at + 2))
        } else {
            (at + 1, at + 3)
        };
        for index in first..close.min(self.tokens.list.len()) {
            let Some(module) = self.plain_text(index) else { continue };
            let before = index.checked_sub(1).map_or("", |before| self.name(before));
            let renamed = !before.is_empty() && before != "import" && index > first;
            let last = module.rsplit('/').find(|part| !is_version(part)).unwrap_or(module);
            let local = if renamed { before } else { last };
            self.import(index, local, module, None);
        }
        close
    }

    /// Rust's `use a::b::{c, d}` and C#'s `using A.B;`: the first segments are enough.
    fn path_import(&mut self, at: usize) -> usize {
        let mut module = String::new();
        let mut index = at + 1;
        while !self.name(index).is_empty() {
            if !module.is_empty() {
                module.push('.');
            }
            module.push_str(self.name(index));
            index += 1;
            if !matches!(self.symbol(index), "::" | ".") {
                break;
            }
            index += 1;
        }
        if !module.is_empty() {
            let local = module.rsplit('.').next().unwrap_or_default().to_owned();
            self.import(at, &local, &module, None);
        }
        // `using var x = …` and `using (…)` are statements.
        if self.blocks.innermost(at).is_some() { at + 1 } else { index.max(at + 1) }
    }
}

fn is_version(part: &str) -> bool {
    part.strip_prefix('v').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}
