//! The blocks of a program: what stands under which `if`, in which function.

use std::collections::HashMap;

use crate::read::app::tokens::{Kind, Language, NONE, Tokens};

#[derive(Clone, Debug)]
pub struct Block {
    /// Token index at which it opens: the brace, the colon, the keyword.
    pub open: usize,
    /// Token index behind its last token.
    pub close: usize,
    pub parent: Option<usize>,
    /// Where the condition of an `if` begins.
    pub condition: Option<usize>,
    /// `unless`
    pub negated: bool,
    /// For `else` and `else if`: the block of the `if` before it.
    pub otherwise_to: Option<usize>,
    pub is_function: bool,
}

impl Block {
    pub fn is_conditional(&self) -> bool {
        self.condition.is_some() || self.otherwise_to.is_some()
    }
}

#[derive(Debug, Default)]
pub struct Blocks {
    pub list: Vec<Block>,
    /// For each token, the innermost block around it.
    innermost: Vec<u32>,
    /// Parameter names, with the blocks of their functions.
    pub parameters: HashMap<String, Vec<usize>>,
}

impl Blocks {
    pub fn innermost(&self, token: usize) -> Option<usize> {
        self.innermost.get(token).filter(|block| **block != NONE).map(|block| *block as usize)
    }

    /// The blocks around a token, from the inside out. Beyond a depth that nobody writes, none.
    pub fn around(&self, token: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.innermost(token), |block| self.list[*block].parent).take(64)
    }

    pub fn encloses(&self, block: Option<usize>, token: usize) -> bool {
        block.is_none_or(|block| self.list[block].open <= token && token < self.list[block].close)
    }

    /// The innermost function around a token.
    pub fn function(&self, token: usize) -> Option<usize> {
        self.around(token).find(|block| self.list[*block].is_function)
    }
}

pub fn blocks(source: &str, tokens: &Tokens, language: Language) -> Blocks {
    let reader = Reader { source, tokens, language };
    let found = match language {
        Language::Python => reader.indented(),
        Language::Ruby => reader.ended(),
        _ => reader.braced(),
    };
    reader.link(found)
}

struct Reader<'t> {
    source: &'t str,
    tokens: &'t Tokens,
    language: Language,
}

impl Reader<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.list.get(at).map_or("", |token| &self.source[token.start as usize..token.end as usize])
    }

    fn name(&self, at: usize) -> &str {
        if self.tokens.list.get(at).is_some_and(|token| token.kind == Kind::Name) { self.word(at) } else { "" }
    }

    fn symbol(&self, at: usize) -> &str {
        if self.tokens.list.get(at).is_some_and(|token| token.kind == Kind::Symbol) { self.word(at) } else { "" }
    }

    fn partner(&self, at: usize) -> Option<usize> {
        let partner = self.tokens.list.get(at)?.partner;
        (partner != NONE && self.tokens.list[at].kind == Kind::Symbol).then_some(partner as usize)
    }

    fn plain(&self, open: usize, close: usize) -> Block {
        Block { open, close, parent: None, condition: None, negated: false, otherwise_to: None, is_function: false }
    }

    fn braced(&self) -> Vec<Block> {
        let count = self.tokens.list.len();
        let mut found: Vec<Block> = Vec::new();
        let mut by_open: HashMap<usize, usize> = HashMap::new();
        for open in 0..count {
            if self.symbol(open) != "{" {
                continue;
            }
            let mut block = self.plain(open, self.partner(open).unwrap_or(count));
            self.classify(&mut block, &by_open);
            by_open.insert(open, found.len());
            found.push(block);
        }
        found
    }

    fn classify(&self, block: &mut Block, by_open: &HashMap<usize, usize>) {
        let Some(before) = block.open.checked_sub(1) else { return };
        if self.name(before) == "else" {
            block.otherwise_to = self.if_before(before, by_open);
            return;
        }
        if matches!(self.language, Language::Go | Language::Rust) {
            return self.classify_without_parentheses(block, by_open);
        }
        if self.symbol(before) == "=>" {
            block.is_function = true;
            return;
        }
        // Behind the parameters there may be a type: `): Promise<void> {`.
        let close = (before.saturating_sub(8)..=before).rev().find(|at| {
            let of_type = matches!(self.symbol(*at), ":" | "<" | ">" | ".") || !self.name(*at).is_empty();
            !of_type
        });
        let Some(close) = close.filter(|at| self.symbol(*at) == ")") else { return };
        let Some(open) = self.partner(close) else { return };
        match open.checked_sub(1).map_or("", |at| self.name(at)) {
            "if" if close == before => {
                block.condition = Some(open + 1);
                if open >= 2 && self.name(open - 2) == "else" {
                    block.otherwise_to = self.if_before(open - 2, by_open);
                }
            }
            "for" | "while" | "switch" | "catch" | "with" | "using" | "foreach" | "lock" => {}
            _ => block.is_function = true,
        }
    }

    fn classify_without_parentheses(&self, block: &mut Block, by_open: &HashMap<usize, usize>) {
        let furthest = block.open.saturating_sub(40);
        for at in (furthest..block.open).rev() {
            let word = self.word(at);
            match self.name(at) {
                "if" => {
                    let start = (at..block.open).rev().find(|at| self.symbol(*at) == ";").unwrap_or(at);
                    block.condition = Some(start + 1);
                    if at > 0 && self.name(at - 1) == "else" {
                        block.otherwise_to = self.if_before(at - 1, by_open);
                    }
                    return;
                }
                "func" | "fn" => {
                    block.is_function = true;
                    return;
                }
                "for" | "switch" | "match" | "while" | "loop" | "select" | "struct" => return,
                _ => {}
            }
            if matches!(word, "{" | "}") || (self.tokens.list[at].new_line && self.language == Language::Go) {
                return;
            }
        }
    }

    /// The block that ends right before the `else` at `at`.
    fn if_before(&self, at: usize, by_open: &HashMap<usize, usize>) -> Option<usize> {
        let close = at.checked_sub(1).filter(|at| self.symbol(*at) == "}")?;
        by_open.get(&self.partner(close)?).copied()
    }

    /// Python: by indentation.
    fn indented(&self) -> Vec<Block> {
        let count = self.tokens.list.len();
        let mut found: Vec<Block> = Vec::new();
        // Open blocks: the column of their header.
        let mut open: Vec<(u32, usize)> = Vec::new();
        // The last `if` or `elif` at a column.
        let mut last_if: HashMap<u32, usize> = HashMap::new();
        let mut at = 0;
        while at < count {
            let column = self.tokens.list[at].column;
            while let Some((header, block)) = open.last().copied() {
                if column > header {
                    break;
                }
                found[block].close = at;
                open.pop();
            }
            let (colon, next) = self.logical_line(at);
            let keyword = if self.name(at) == "async" { self.name(at + 1) } else { self.name(at) };
            let header = matches!(
                keyword,
                "if" | "elif" | "else" | "for" | "while" | "def" | "class" | "try" | "except" | "finally" | "with"
            );
            if let Some(colon) = colon.filter(|_| header) {
                let mut block = self.plain(colon, count);
                block.is_function = matches!(keyword, "def" | "class");
                if matches!(keyword, "if" | "elif") {
                    block.condition = Some(at + 1);
                }
                if matches!(keyword, "elif" | "else") {
                    block.otherwise_to = last_if.get(&column).copied();
                }
                let index = found.len();
                match keyword {
                    "if" | "elif" => last_if.insert(column, index),
                    _ => last_if.remove(&column),
                };
                let on_one_line = colon + 1 < next;
                if on_one_line {
                    block.close = next;
                } else {
                    open.push((column, index));
                }
                found.push(block);
            }
            at = next;
        }
        found
    }

    /// The colon that ends a header, and where the next logical line begins.
    fn logical_line(&self, first: usize) -> (Option<usize>, usize) {
        let mut colon = None;
        let mut at = first;
        loop {
            if colon.is_none() && self.symbol(at) == ":" && !self.in_lambda(first, at) {
                colon = Some(at);
            }
            at = match self.symbol(at) {
                "(" | "[" | "{" => self.partner(at).filter(|partner| *partner > at).unwrap_or(at) + 1,
                _ => at + 1,
            };
            if at >= self.tokens.list.len() || self.tokens.list[at].new_line {
                return (colon, at);
            }
        }
    }

    fn in_lambda(&self, first: usize, at: usize) -> bool {
        (first.max(at.saturating_sub(8))..at).any(|at| self.name(at) == "lambda")
    }

    /// Ruby: from a keyword to `end`.
    fn ended(&self) -> Vec<Block> {
        let count = self.tokens.list.len();
        let mut found: Vec<Block> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        let mut loop_line = false;
        for at in 0..count {
            let token = self.tokens.list[at];
            if token.new_line {
                loop_line = matches!(self.name(at), "while" | "until" | "for");
            }
            let after_dot = at > 0 && matches!(self.symbol(at - 1), "." | ":");
            let keyword = if after_dot || self.symbol(at + 1) == ":" { "" } else { self.name(at) };
            let starts_value = at > 0 && self.symbol(at - 1) == "=";
            let opens = match keyword {
                "if" | "unless" | "case" | "while" | "until" | "for" | "begin" => token.new_line || starts_value,
                "def" | "class" | "module" => true,
                "do" => !loop_line,
                _ => false,
            };
            if opens {
                let mut block = self.plain(at, count);
                if matches!(keyword, "if" | "unless") {
                    block.condition = Some(at + 1);
                    block.negated = keyword == "unless";
                }
                block.is_function = keyword == "def";
                open.push(found.len());
                found.push(block);
            } else if matches!(keyword, "else" | "elsif" | "end") {
                let Some(ended) = open.pop() else { continue };
                found[ended].close = at;
                if keyword != "end" {
                    let mut block = self.plain(at, count);
                    block.otherwise_to = found[ended].is_conditional().then_some(ended);
                    if keyword == "elsif" {
                        block.condition = Some(at + 1);
                    }
                    open.push(found.len());
                    found.push(block);
                }
            }
        }
        found
    }

    /// Sets parents and the innermost block of each token, and finds the parameters of functions.
    ///
    /// The blocks come in the order in which they open.
    fn link(&self, sorted: Vec<Block>) -> Blocks {
        let mut blocks = Blocks { list: sorted, innermost: Vec::new(), parameters: HashMap::new() };
        let mut open: Vec<usize> = Vec::new();
        let mut next = 0;
        for at in 0..self.tokens.list.len() {
            while open.last().is_some_and(|block| blocks.list[*block].close <= at) {
                open.pop();
            }
            while next < blocks.list.len() && blocks.list[next].open <= at {
                blocks.list[next].parent = open.last().copied();
                open.push(next);
                next += 1;
            }
            blocks.innermost.push(open.last().map_or(NONE, |block| *block as u32));
        }
        for index in 0..blocks.list.len() {
            if blocks.list[index].is_function {
                for name in self.parameter_names(blocks.list[index].open) {
                    blocks.parameters.entry(name).or_default().push(index);
                }
            }
        }
        blocks
    }

    /// The names in the parentheses before a function's body.
    fn parameter_names(&self, body: usize) -> Vec<String> {
        let close = (body.saturating_sub(10)..body).rev().find(|at| self.symbol(*at) == ")");
        let Some((open, close)) = close.and_then(|close| Some((self.partner(close)?, close))) else {
            return Vec::new();
        };
        let mut names = Vec::new();
        let mut at = open + 1;
        // More parameters than that have no ports among them.
        while at < close && names.len() < 30 {
            let follows = matches!(self.symbol(at + 1), "," | ")" | ":" | "=" | "?") || !self.name(at + 1).is_empty();
            if !self.name(at).is_empty() && follows {
                names.push(self.name(at).to_owned());
            }
            at += 1;
        }
        names
    }
}
