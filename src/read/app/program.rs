//! An entry file with its names: what was assigned where, and which blocks and conditions lie around it.

use std::cell::Cell;
use std::collections::HashMap;

use crate::read::app::bindings::{Binding, bindings};
use crate::read::app::blocks::{Block, Blocks, blocks};
use crate::read::app::expression::{Expression, Shape};
use crate::read::app::parser::Parser;
use crate::read::app::tokens::{Kind, Language, NONE, Tokens, tokens};
use crate::read::surroundings::Surroundings;
use crate::source::{Span, Text};

/// How much work one entry file with all its modules may make.
#[derive(Debug)]
pub struct Effort {
    /// Expressions that may still be evaluated.
    pub steps: Cell<u32>,
    /// Modules that may still be read.
    pub modules: Cell<u32>,
    /// How deep evaluation is nested at the moment.
    pub depth: Cell<u32>,
}

impl Effort {
    pub fn fresh() -> Effort {
        Effort { steps: Cell::new(20_000), modules: Cell::new(60), depth: Cell::new(0) }
    }
}

pub struct Program<'p> {
    /// Absolute, on its machine.
    pub path: &'p str,
    pub text: &'p Text,
    pub language: Language,
    /// The words behind the program's name on its command line; `None`: they are not known.
    pub arguments: Option<&'p [Text]>,
    pub surroundings: &'p Surroundings<'p>,
    pub effort: &'p Effort,
    pub tokens: Tokens,
    pub blocks: Blocks,
    pub bindings: HashMap<String, Vec<Binding>>,
    /// Names with assignments to their members, `config.port = …`: the member and the token where its value begins.
    pub members: HashMap<String, Vec<(String, usize)>>,
    /// It is the file that is started, not a module.
    pub is_main: bool,
    /// `.env` files that the program reads itself, by absolute path; `None`: one whose path is not plain.
    pub env_files: Vec<Option<String>>,
}

impl<'p> Program<'p> {
    pub fn new(
        path: &'p str,
        text: &'p Text,
        language: Language,
        arguments: Option<&'p [Text]>,
        surroundings: &'p Surroundings<'p>,
        effort: &'p Effort,
    ) -> Program<'p> {
        let source = text.as_str();
        let tokens = tokens(source, 0..source.len(), language);
        let blocks = blocks(source, &tokens, language);
        let bindings = bindings(source, &tokens, &blocks, language);
        let mut program = Program {
            path,
            text,
            language,
            arguments,
            surroundings,
            effort,
            tokens,
            blocks,
            bindings,
            members: HashMap::new(),
            is_main: true,
            env_files: Vec::new(),
        };
        program.members = program.find_members();
        program.env_files = program.find_env_files();
        program
    }

    /// The same text, taken in by another file.
    pub fn as_module(mut self) -> Program<'p> {
        self.is_main = false;
        self
    }

    fn find_members(&self) -> HashMap<String, Vec<(String, usize)>> {
        let mut found: HashMap<String, Vec<(String, usize)>> = HashMap::new();
        for at in 3..self.tokens.list.len() {
            if self.symbol(at) != "=" || self.symbol(at - 2) != "." || self.name(at - 1).is_empty() {
                continue;
            }
            let inner = at >= 4 && self.symbol(at - 4) == ".";
            if !inner {
                found.entry(self.name(at - 3).to_owned()).or_default().push((self.name(at - 1).to_owned(), at + 1));
            }
        }
        found
    }

    /// The name of the file alone.
    pub fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(self.path)
    }

    /// The folder of the file, absolute.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    pub fn word(&self, at: usize) -> &str {
        self.tokens.list.get(at).map_or("", |token| &self.text.as_str()[token.start as usize..token.end as usize])
    }

    pub fn name(&self, at: usize) -> &str {
        if self.tokens.list.get(at).is_some_and(|token| token.kind == Kind::Name) { self.word(at) } else { "" }
    }

    pub fn symbol(&self, at: usize) -> &str {
        if self.tokens.list.get(at).is_some_and(|token| token.kind == Kind::Symbol) { self.word(at) } else { "" }
    }

    pub fn partner(&self, at: usize) -> Option<usize> {
        let partner = self.tokens.list.get(at)?.partner;
        let bracket = matches!(self.symbol(at), "(" | ")" | "[" | "]" | "{" | "}");
        (bracket && partner != NONE).then_some(partner as usize)
    }

    pub fn parser(&self, at: usize) -> Parser<'_> {
        Parser::new(self.text.as_str(), &self.tokens, self.language, at)
    }

    pub fn parse(&self, at: usize) -> Expression {
        self.parser(at).expression()
    }

    pub fn span(&self, expression: &Expression) -> Span {
        self.text.span(expression.range.clone())
    }

    pub fn quote(&self, expression: &Expression) -> Text {
        self.text.slice(expression.range.clone())
    }

    /// The string that one string token stands for, when it is plain.
    pub fn plain_text(&self, at: usize) -> Option<Text> {
        let token = self.tokens.list.get(at).filter(|token| token.kind == Kind::Text)?;
        match self.tokens.strings.get(token.partner as usize)?.as_slice() {
            [crate::read::app::tokens::Piece::Verbatim(range)] => Some(self.text.slice(range.clone())),
            _ => None,
        }
    }

    /// A name of this spelling occurs, outside of strings and comments.
    pub fn mentions(&self, name: &str) -> bool {
        (0..self.tokens.list.len()).any(|at| self.name(at) == name)
    }

    /// The calls of functions or methods with one of these names, with the token index where each begins.
    pub fn calls(&self, names: &[&str]) -> Vec<(usize, Expression)> {
        let mut found = Vec::new();
        for at in 0..self.tokens.list.len() {
            if !names.contains(&self.name(at)) {
                continue;
            }
            let Some(open) = self.call_bracket(at) else { continue };
            let Some(close) = self.partner(open) else { continue };
            if self.is_definition(at, close) {
                continue;
            }
            let start = self.receiver_start(at);
            let expression = self.parser(start).until(close + 1).expression();
            found.push((start, expression));
            if found.len() >= 80 {
                break;
            }
        }
        found
    }

    /// The bracket that opens the arguments of the name at `at`.
    fn call_bracket(&self, at: usize) -> Option<usize> {
        match self.symbol(at + 1) {
            "(" => Some(at + 1),
            "{" if self.language == Language::Go => Some(at + 1),
            // listen<Type>(…), listen?.(…)
            "<" | "?." | "::" if self.language != Language::Python => {
                let open = (at + 2..at + 8).find(|at| self.symbol(*at) == "(")?;
                let plain = (at + 2..open).all(|at| !self.name(at).is_empty() || self.symbol(at) != ";");
                plain.then_some(open)
            }
            _ => None,
        }
    }

    /// `function listen(…) {`, `def run(…):`, `listen() {` in a class.
    fn is_definition(&self, at: usize, close: usize) -> bool {
        let before = at.checked_sub(1).map_or("", |before| self.name(before));
        if matches!(before, "function" | "def" | "func" | "fn" | "void" | "class" | "struct") {
            return true;
        }
        let after_name = self.symbol(at.wrapping_sub(1)) == ".";
        let braces = matches!(self.language, Language::JavaScript | Language::CSharp);
        let opens_body = self.symbol(close + 1) == "{" && self.symbol(at + 1) == "(";
        if self.language == Language::Go && self.symbol(at.wrapping_sub(1)) == ")" && opens_body {
            return true;
        }
        braces && !after_name && opens_body
    }

    /// The first token of `a.b(c).name`, for the token of `name`.
    pub fn receiver_start(&self, name: usize) -> usize {
        let mut at = name;
        loop {
            let Some(link) = at.checked_sub(1) else { return at };
            if !matches!(self.symbol(link), "." | "?." | "::") {
                break;
            }
            let Some(mut before) = link.checked_sub(1) else { return at };
            // x!.listen
            if self.symbol(before) == "!" {
                before = before.saturating_sub(1);
            }
            // Arguments and indices, however many: f(a)[0](b)
            while matches!(self.symbol(before), ")" | "]")
                || (self.symbol(before) == "}" && self.language == Language::Go)
            {
                let Some(open) = self.partner(before) else { return at };
                let Some(previous) = open.checked_sub(1) else { return open };
                let called = !self.name(previous).is_empty()
                    && !matches!(self.name(previous), "await" | "return" | "if" | "else" | "in" | "of" | "not")
                    || matches!(self.symbol(previous), ")" | "]" | ">");
                if !called {
                    before = open;
                    break;
                }
                before = previous;
                if self.symbol(before) == ">" {
                    let Some(angle) = (before.saturating_sub(8)..before).rev().find(|at| self.symbol(*at) == "<")
                    else {
                        return at;
                    };
                    before = angle.saturating_sub(1);
                }
            }
            at = before;
        }
        let before = at.checked_sub(1).map_or("", |before| self.word(before));
        if before == "new" || (before == "&" && self.language == Language::Go) {
            return at - 1;
        }
        at
    }

    /// What the conditions around a token say: `Some(false)` when it is never reached.
    pub fn reached(&self, at: usize) -> Option<bool> {
        let mut answer = Some(true);
        for block in self.blocks.around(at) {
            if !self.blocks.list[block].is_conditional() {
                continue;
            }
            match self.taken(block) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => answer = None,
            }
        }
        match self.bare_condition(at) {
            Some(false) => Some(false),
            Some(true) => answer,
            None => None,
        }
    }

    /// `if (x) app.listen(…)` and `else app.listen(…)`, without braces.
    fn bare_condition(&self, at: usize) -> Option<bool> {
        if !matches!(self.language, Language::JavaScript | Language::CSharp) {
            return Some(true);
        }
        let mut before = at;
        while before > 0 && matches!(self.name(before - 1), "await" | "return" | "void") {
            before -= 1;
        }
        let Some(previous) = before.checked_sub(1) else { return Some(true) };
        if self.name(previous) == "else" {
            return None;
        }
        if self.symbol(previous) == "&&" {
            return None;
        }
        let Some(open) = self.partner(previous).filter(|_| self.symbol(previous) == ")") else { return Some(true) };
        if open == 0 || self.name(open - 1) != "if" {
            return Some(true);
        }
        let condition = self.parser(open + 1).until(previous).expression();
        self.evaluate(&condition, open).truth()
    }

    /// Whether the block of an `if`, `elif` or `else` is run.
    pub fn taken(&self, block: usize) -> Option<bool> {
        // Chains of `else if` are followed as far as anybody writes them by hand.
        let mut answer = self.condition(&self.blocks.list[block]);
        let mut earlier = self.blocks.list[block].otherwise_to;
        for _ in 0..12 {
            let Some(index) = earlier else { return answer };
            match self.condition(&self.blocks.list[index]) {
                Some(true) => return Some(false),
                Some(false) => {}
                None => answer = answer.filter(|taken| !taken),
            }
            earlier = self.blocks.list[index].otherwise_to;
        }
        None
    }

    fn condition(&self, block: &Block) -> Option<bool> {
        let Some(at) = block.condition else { return block.otherwise_to.map(|_| true) };
        let end = if self.language == Language::Ruby { self.tokens.list.len() } else { block.open };
        let expression = self.parser(at).until(end).without_composites().expression();
        let truth = self.evaluate(&expression, at).truth();
        if block.negated { truth.map(|truth| !truth) } else { truth }
    }

    /// The imports of frameworks decide what `app.run()` means: whether a module of this name is imported.
    pub fn imports(&self, module: &str) -> bool {
        self.bindings.values().flatten().any(|binding| {
            binding.module.as_ref().is_some_and(|import| {
                let name = &import.module;
                name == module
                    || name.strip_prefix("node:") == Some(module)
                    || name.strip_prefix(module).is_some_and(|rest| rest.starts_with(['.', '/']))
            })
        }) || self.required(module)
    }

    /// `require('module')` anywhere, or an import for its effects.
    fn required(&self, module: &str) -> bool {
        (1..self.tokens.list.len()).any(|at| {
            self.plain_text(at)
                .is_some_and(|text| text == module || text.as_str().strip_prefix("node:") == Some(module))
                && (self.name(at - 1) == "import"
                    || (self.symbol(at - 1) == "(" && at > 1 && matches!(self.name(at - 2), "require" | "import"))
                    || matches!(self.name(at - 1), "require" | "from"))
        })
    }

    /// The expression behind a name, when it was assigned once: what `app` was made from.
    pub fn origin(&self, name: &str, at: usize) -> Option<(Expression, usize)> {
        let binding = self.visible(name, at)?.pop()?;
        let value = binding.value?;
        Some((self.parse(value), value))
    }

    /// The expression at the end of a chain of names.
    pub fn made_from(&self, expression: &Expression, at: usize) -> (Expression, usize) {
        let (mut current, mut place) = (expression.clone(), at);
        for _ in 0..6 {
            let Shape::Name(name) = &current.shape else { break };
            let Some((next, next_at)) = self.origin(name, place) else { break };
            (current, place) = (next, next_at);
        }
        (current, place)
    }
}
