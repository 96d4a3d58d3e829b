//! What a rule says, before anyone decides how to print it.

use std::borrow::Cow;
use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::source::Span;

/// How much a finding promises; ordered from the weakest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Sound practice.
    Advice,
    /// The files contradict each other, or it fails at an event that will come.
    Warning,
    /// The files alone prove that a request fails or that a program does not start.
    Error,
}

impl Level {
    pub fn name(self) -> &'static str {
        match self {
            Level::Advice => "advice",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// Words for people. Many are the same in each of thousands of findings, and are not copied for each.
pub type Words = Cow<'static, str>;

/// One defect: a rule, a place, what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub rule: &'static str,
    pub level: Level,
    pub message: String,
    /// The text to change first.
    pub span: Span,
    /// What to read at the span.
    pub label: Option<Words>,
    /// The evidence, in any file.
    pub notes: Vec<Note>,
    pub help: Option<Words>,
    pub fixes: Vec<Fix>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub span: Span,
    pub message: Words,
}

/// A change that mends the finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub title: String,
    /// It can be applied without a look.
    pub safe: bool,
    pub edits: Vec<Edit>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// Collects the findings of one rule. The same message at the same place counts once: several stacks that share a file
/// say the same thing of it, and so do the routes to one server.
pub struct Findings {
    rule: &'static str,
    list: Vec<Finding>,
    /// By place and hash of the message.
    numbers: FxHashMap<(Span, u64), usize>,
    /// What was said before, to be let go of.
    repeated: Option<Finding>,
}

impl Findings {
    pub fn of(rule: &'static str) -> Findings {
        Findings { rule, list: Vec::new(), numbers: FxHashMap::default(), repeated: None }
    }

    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Error, span, message)
    }

    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Warning, span, message)
    }

    pub fn advice(&mut self, span: Span, message: impl Into<String>) -> &mut Finding {
        self.add(Level::Advice, span, message)
    }

    pub fn add(&mut self, level: Level, span: Span, message: impl Into<String>) -> &mut Finding {
        let message = message.into();
        let finding = Finding {
            rule: self.rule,
            level,
            message,
            span,
            label: None,
            notes: Vec::new(),
            help: None,
            fixes: Vec::new(),
        };
        let number = self.list.len();
        let first = *self.numbers.entry((span, FxBuildHasher.hash_one(&finding.message))).or_insert(number);
        if self.list.get(first).is_some_and(|known| known.message == finding.message) {
            return self.repeated.insert(finding);
        }
        self.list.push(finding);
        &mut self.list[number]
    }

    /// The findings, one a place and message.
    pub fn into_vec(mut self) -> Vec<Finding> {
        self.list.shrink_to_fit();
        self.list
    }
}

impl Finding {
    pub fn label(&mut self, text: impl Into<Words>) -> &mut Finding {
        self.label = Some(text.into());
        self
    }

    pub fn note(&mut self, span: Span, message: impl Into<Words>) -> &mut Finding {
        // Most have one, and there may be thousands.
        self.notes.reserve_exact(1);
        self.notes.push(Note { span, message: message.into() });
        self
    }

    pub fn help(&mut self, text: impl Into<Words>) -> &mut Finding {
        self.help = Some(text.into());
        self
    }

    /// Offers to write `text` over `span`.
    pub fn fix(&mut self, title: impl Into<String>, safe: bool, span: Span, text: impl Into<String>) -> &mut Finding {
        self.fixes.push(Fix { title: title.into(), safe, edits: vec![Edit { span, text: text.into() }] });
        self
    }
}
