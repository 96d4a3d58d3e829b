//! Puts words together to commands, and follows the compound commands around them.

use crate::source::{Text, TextBuilder};
use crate::syntax::Problem;
use crate::syntax::command_line::words::{Token, Words};
use crate::syntax::command_line::{Command, Heredoc, Joined, Redirection, Script, Word, is_name};

/// What is open around a command.
#[derive(Clone, Copy, PartialEq)]
enum Block {
    If,
    Loop,
    /// `case`, before or in the pattern of a branch.
    Pattern,
    /// `case`, in the commands of a branch.
    Branch,
    /// `{ …; }`; `depends` when it runs only under a condition.
    Group {
        depends: bool,
    },
    Subshell,
}

/// A here-document that was announced on this line.
struct Announced {
    command: usize,
    redirection: usize,
    mark: String,
    quoted: bool,
    tabs: bool,
    /// Where it was announced.
    at: usize,
}

pub struct Structure<'t> {
    words: Words<'t>,
    commands: Vec<Command>,
    current: Option<Command>,
    joined: Joined,
    blocks: Vec<Block>,
    /// How many of the blocks make what is inside of them conditional.
    conditions: usize,
    announced: Vec<Announced>,
    /// A function's head was read, so that a group is its body.
    function: bool,
    /// A block was closed since the last command.
    closed: bool,
}

impl<'t> Structure<'t> {
    pub fn read(text: &'t Text) -> Script {
        let mut structure = Structure {
            words: Words::of(text),
            commands: Vec::new(),
            current: None,
            joined: Joined::First,
            blocks: Vec::new(),
            conditions: 0,
            announced: Vec::new(),
            function: false,
            closed: false,
        };
        loop {
            let (start, token) = structure.words.token();
            match token {
                Token::End => break,
                Token::Operator(operator) => structure.operator(operator),
                Token::Redirection(operator) => structure.redirection(operator, start),
                Token::Word(word) => structure.word(word, start),
            }
        }
        structure.end_command();
        structure.documents();
        let mut script = Script { commands: structure.commands, problems: structure.words.problems };
        if !structure.blocks.is_empty() {
            let span = script.commands.last().map_or(text.whole(), |last| last.span);
            let message = "the script ends inside of a compound command".to_owned();
            script.problems.push(Problem { span, message, related: None });
        }
        script
    }

    fn open(&mut self, block: Block) {
        self.conditions += usize::from(block != Block::Group { depends: false });
        self.blocks.push(block);
    }

    fn close(&mut self, matches: fn(Block) -> bool) {
        if self.blocks.last().is_some_and(|block| matches(*block)) {
            let block = self.blocks.pop();
            self.conditions -= usize::from(block != Some(Block::Group { depends: false }));
            self.closed = true;
        }
    }

    fn in_pattern(&self) -> bool {
        self.blocks.last() == Some(&Block::Pattern)
    }

    fn end_command(&mut self) {
        self.commands.extend(self.current.take());
    }

    fn operator(&mut self, operator: &str) {
        if self.in_pattern() && operator != "\n" {
            if operator == ")" {
                self.blocks.pop();
                self.blocks.push(Block::Branch);
            }
            return;
        }
        match operator {
            "(" => return self.parenthesis(),
            ")" => {
                self.end_command();
                self.close(|block| block == Block::Subshell);
                self.joined = Joined::Then;
                return;
            }
            "&" => self.background(),
            _ => {}
        }
        let ended = self.current.is_some();
        self.end_command();
        self.joined = match operator {
            "&&" => Joined::And,
            "||" => Joined::Or,
            "|" | "|&" => Joined::Pipe,
            // A line may end in `&&` or `|`.
            "\n" if !ended && self.joined != Joined::Then => self.joined,
            _ => Joined::Then,
        };
        match operator {
            "\n" => self.documents(),
            ";;" | ";&" | ";;&" if self.blocks.last() == Some(&Block::Branch) => {
                self.blocks.pop();
                self.blocks.push(Block::Pattern);
            }
            _ => {}
        }
    }

    fn parenthesis(&mut self) {
        let head = self.current.as_ref().is_some_and(|command| command.words.len() == 1);
        let rest = self.words.source[self.words.at..].trim_start_matches([' ', '\t']);
        if head && rest.starts_with(')') {
            self.words.at = self.words.source.len() - rest.len() + 1;
            self.current = None;
            self.function = true;
            return;
        }
        self.end_command();
        self.function = false;
        self.open(Block::Subshell);
    }

    /// The whole list before a `&` goes to the background.
    fn background(&mut self) {
        self.end_command();
        for command in self.commands.iter_mut().rev() {
            command.background = true;
            if !matches!(command.joined, Joined::And | Joined::Or | Joined::Pipe) {
                break;
            }
        }
    }

    fn word(&mut self, word: Word, start: usize) {
        let raw = &self.words.source[start..self.words.at];
        if self.in_pattern() {
            if raw == "esac" {
                self.close(|block| block == Block::Pattern);
            }
            return;
        }
        let begins =
            self.current.as_ref().is_none_or(|command| command.words.is_empty() && command.assignments.is_empty());
        if begins && self.keyword(raw) {
            return;
        }
        let assigns = raw.split_once('=').is_some_and(|(name, _)| is_name(name.trim_end_matches('+')));
        let command = self.command(&word);
        if assigns
            && command.words.is_empty()
            && let Some(assignment) = word.assignment()
        {
            command.assignments.push(assignment);
            return;
        }
        command.words.push(word);
    }

    fn keyword(&mut self, raw: &str) -> bool {
        match raw {
            "if" => self.open(Block::If),
            "while" | "until" => self.open(Block::Loop),
            "for" | "select" => {
                self.open(Block::Loop);
                self.skip_until(|token| matches!(token, Token::Operator("\n" | ";")));
            }
            "case" => {
                self.open(Block::Pattern);
                self.skip_until(
                    |token| matches!(token, Token::Word(word) if word.literal().is_some_and(|it| it == "in")),
                );
            }
            "function" => {
                self.words.token();
                let rest = self.words.source[self.words.at..].trim_start_matches([' ', '\t']);
                if let Some(rest) = rest.strip_prefix('(') {
                    let rest = rest.trim_start_matches([' ', '\t']);
                    self.words.at = self.words.source.len() - rest.strip_prefix(')').unwrap_or(rest).len();
                }
                self.function = true;
            }
            "fi" => self.close(|block| block == Block::If),
            "done" => self.close(|block| block == Block::Loop),
            "esac" => self.close(|block| block == Block::Branch),
            "{" => {
                let depends = self.function || matches!(self.joined, Joined::And | Joined::Or);
                self.function = false;
                self.open(Block::Group { depends });
            }
            "}" => self.close(|block| matches!(block, Block::Group { .. })),
            "then" | "elif" | "else" | "do" | "!" | "time" => {}
            _ => return false,
        }
        if !matches!(raw, "!" | "time" | "fi" | "done" | "esac" | "}") && self.joined != Joined::First {
            self.joined = Joined::Then;
        }
        true
    }

    /// Skips the head of a compound command; it ends with its line at the latest.
    fn skip_until(&mut self, found: fn(&Token) -> bool) {
        loop {
            let before = self.words.at;
            let (_, token) = self.words.token();
            match token {
                Token::End => return,
                Token::Operator("\n") if !found(&token) => {
                    self.words.at = before;
                    return;
                }
                _ if found(&token) => return,
                _ => {}
            }
        }
    }

    fn redirection(&mut self, operator: &str, start: usize) {
        let (target_start, token) = self.words.token();
        let Token::Word(target) = token else {
            self.words.problem(start..start + operator.len(), "this redirection says no file");
            self.words.at = target_start;
            return;
        };
        let raw = self.words.source[target_start..self.words.at].to_owned();
        let index = self.commands.len();
        let command = self.command(&target);
        command.span = command.span.to(target.span);
        command.redirections.push(Redirection { operator: operator.to_owned(), target, heredoc: None });
        let redirection = command.redirections.len() - 1;
        let arrow = operator.trim_start_matches(|digit: char| digit.is_ascii_digit());
        if matches!(arrow, "<<" | "<<-") {
            let quoted = raw.contains(['\'', '"', '\\']);
            let mark = raw.replace(['\'', '"', '\\'], "");
            self.announced.push(Announced {
                command: index,
                redirection,
                mark,
                quoted,
                tabs: arrow == "<<-",
                at: start,
            });
        }
    }

    /// The command that a word belongs to.
    fn command(&mut self, word: &Word) -> &mut Command {
        let command = self.current.get_or_insert_with(|| Command {
            after_block: std::mem::take(&mut self.closed),
            assignments: Vec::new(),
            words: Vec::new(),
            redirections: Vec::new(),
            joined: self.joined,
            background: false,
            conditional: self.conditions > 0,
            span: word.span,
        });
        command.span = command.span.to(word.span);
        command
    }

    /// Takes the bodies of the here-documents that were announced on the line that just ended.
    fn documents(&mut self) {
        for announced in std::mem::take(&mut self.announced) {
            let body = self.document(&announced);
            let command = self.commands.get_mut(announced.command);
            if let Some(redirection) = command.and_then(|command| command.redirections.get_mut(announced.redirection)) {
                redirection.heredoc = Some(Heredoc { text: body, quoted: announced.quoted });
            }
        }
    }

    fn document(&mut self, announced: &Announced) -> Text {
        let (text, source) = (self.words.text, self.words.source);
        let start = self.words.at;
        let mut at = start;
        let mut builder = TextBuilder::default();
        while at < source.len() {
            let length = memchr::memchr(b'\n', &source.as_bytes()[at..]);
            let (end, next) = length.map_or((source.len(), source.len()), |length| (at + length, at + length + 1));
            let line = source[at..end].trim_end_matches('\r');
            let tabs = if announced.tabs { line.len() - line.trim_start_matches('\t').len() } else { 0 };
            if line[tabs..] == announced.mark {
                self.words.at = next;
                return self.body(announced, start..at, builder);
            }
            if announced.tabs {
                builder.push(text, at + tabs..next);
            }
            at = next;
        }
        self.words.at = source.len();
        self.words.problem(announced.at..announced.at + 2, "this here-document never ends");
        self.body(announced, start.min(at)..at, builder)
    }

    fn body(&self, announced: &Announced, range: std::ops::Range<usize>, builder: TextBuilder) -> Text {
        if announced.tabs { builder.finish(self.words.text.span(range)) } else { self.words.text.slice(range) }
    }
}
