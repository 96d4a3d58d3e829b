//! `RUN`: what its commands do to files, as far as their lines alone say it.
//!
//! A command that may not run makes what it would change unknown. A command nobody knows here changes nothing that is
//! known, and marks the stage as one where files may appear.

use crate::read::glob::is_pattern;
use crate::read::image::Change;
use crate::read::image::copy::literal_folder;
use crate::read::image::files::{Start, find, join, parent};
use crate::read::image::print;
use crate::read::image::stage::{Build, MOST_CHANGES, Stage, limited};
use crate::source::{Lookup, Span, Text};
use crate::syntax::command_line::{Command, Joined, Redirection, Script, Word, exec, shell};
use crate::syntax::dockerfile::Form;
use std::collections::HashMap;

mod effects;
mod moves;

/// Scripts inside of scripts, `sh -c "sh -c …"`.
const DEEPEST: usize = 3;
/// In bytes; `cat a a >a` doubles.
const LONGEST_TEXT: usize = 256 * 1024;
/// In bytes, all commands of a stage together.
const MOST_TEXT: usize = 16 * 1024 * 1024;
const MOST_WORDS: usize = 2_000;

struct Shell<'s, 'b> {
    stage: &'s mut Stage,
    build: &'s Build<'b>,
    variables: HashMap<String, Lookup>,
    /// As [`Stage::directory`].
    directory: Option<String>,
    /// What the last command printed.
    output: Option<Text>,
    depth: usize,
}

/// A word of a command; several when a variable was split.
struct Argument<'w> {
    text: Option<Text>,
    word: &'w Word,
}

pub fn run(stage: &mut Stage, form: &Form, build: &Build) {
    let directory = stage.directory.clone();
    let script = match form {
        Form::Exec(words) => Script { commands: vec![exec(words)], problems: Vec::new() },
        Form::Shell(text) => {
            let interpreter = text.as_str().lines().next().and_then(|line| line.strip_prefix("#!"));
            let interpreter = interpreter.or(stage.shell.first().map(String::as_str)).unwrap_or("");
            if !interpreter.split_whitespace().any(is_shell) {
                stage.opaque = true;
                return;
            }
            shell(text)
        }
    };
    Shell { stage, build, variables: HashMap::new(), directory, output: None, depth: 0 }.script(&script);
}

fn is_shell(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash" | "zsh" | "ksh"))
}

/// Commands that only ask, so that what `&&` joins to them depends on the answer.
fn is_question(command: &Command) -> bool {
    let name = command.words.first().and_then(Word::literal);
    name.is_some_and(|name| {
        matches!(name.as_str(), "[" | "[[" | "test" | "grep" | "which" | "command" | "type" | "id" | "getent")
    })
}

impl Shell<'_, '_> {
    fn script(&mut self, script: &Script) {
        let mut from = 0;
        while from < script.commands.len() {
            let rest = &script.commands[from + 1..];
            let joined = |command: &&Command| matches!(command.joined, Joined::And | Joined::Or | Joined::Pipe);
            let list = &script.commands[from..from + 1 + rest.iter().take_while(joined).count()];
            let either = list.iter().any(|command| command.joined == Joined::Or);
            let mut asked = false;
            if self.stage.image.changes.len() > MOST_CHANGES {
                return;
            }
            for (index, command) in list.iter().enumerate() {
                let sure = !command.conditional && (index == 0 || !(either || asked));
                asked |= is_question(command);
                self.command(command, sure);
            }
            from += list.len();
        }
    }

    fn lookup(&self, name: &str) -> Lookup {
        match (self.variables.get(name), self.stage.lookup(name)) {
            (Some(value), _) => value.clone(),
            // The shell and the programs in the image set variables that the Dockerfile does not show.
            (None, Lookup::Unset) => Lookup::Unknown,
            (None, value) => value,
        }
    }

    fn path(&self, path: &str) -> Option<String> {
        match &self.directory {
            _ if path.starts_with('/') => Some(join("/", path)),
            Some(directory) => Some(join(directory, path)),
            None => None,
        }
    }

    /// The path that a word names.
    fn named(&self, argument: &Argument) -> Option<String> {
        self.path(argument.text.as_ref()?.as_str())
    }

    /// The text of a file in the image as it is now.
    fn text(&self, path: &str) -> Option<Text> {
        let mut path = self.path(path)?;
        for _ in 0..8 {
            let content = find(&self.stage.image, self.build.sources, &path);
            match &content.start {
                Start::Link(to) => path = to.clone(),
                _ => return content.text(None),
            }
        }
        None
    }

    fn command(&mut self, command: &Command, sure: bool) {
        if command.words.len() > MOST_WORDS {
            self.stage.unknown(None, command.span, "a command is too long to follow");
            return;
        }
        let before = self.stage.image.changes.len();
        let input = self.input(command);
        self.output = None;
        for (name, value) in &command.assignments {
            if command.words.is_empty() {
                self.assign(&name.value, value.expand(&|name| self.lookup(name)), sure);
            }
        }
        let mut arguments = Vec::new();
        for word in &command.words {
            match word.fields(&|name| self.lookup(name)) {
                Some(fields) => arguments.extend(fields.into_iter().map(|text| Argument { text: Some(text), word })),
                None => arguments.push(Argument { text: None, word }),
            }
        }
        let arguments = unwrapped(&arguments);
        if let [program, arguments @ ..] = arguments {
            match &program.text {
                Some(program) => {
                    let name = program.as_str().rsplit('/').next().unwrap_or("").to_owned();
                    self.effect(&name, arguments, command, input, sure);
                }
                None => self.stage.opaque = true,
            }
        }
        for redirection in &command.redirections {
            self.redirect(redirection, command);
        }
        if !sure {
            let done = self.stage.image.changes.split_off(before.min(self.stage.image.changes.len()));
            self.stage.image.changes.extend(done.into_iter().filter_map(doubted));
        }
    }

    fn assign(&mut self, name: &str, value: Option<Text>, sure: bool) {
        let value = if sure { limited(value) } else { Lookup::Unknown };
        self.variables.insert(name.to_owned(), value);
    }

    /// What the command reads, where that is known.
    fn input(&self, command: &Command) -> Option<Text> {
        for redirection in command.redirections.iter().rev() {
            if let Some(heredoc) = &redirection.heredoc {
                return heredoc.expand(&|name| self.lookup(name));
            }
            let target = || redirection.target.expand(&|name| self.lookup(name));
            match redirection.operator.as_str() {
                "<" => return self.text(target()?.as_str()),
                "<<<" => return print::echo(&[target()?], redirection.target.span),
                _ => {}
            }
        }
        let piped = command.joined == Joined::Pipe && !command.after_block;
        self.output.clone().filter(|_| piped)
    }

    fn redirect(&mut self, redirection: &Redirection, command: &Command) {
        let operator = redirection.operator.as_str();
        let append = operator.ends_with(">>");
        if !matches!(operator, ">" | ">>" | ">|" | "1>" | "1>>" | "&>" | "&>>" | ">&") {
            return;
        }
        let target = redirection.target.expand(&|name| self.lookup(name));
        let path = target.as_ref().and_then(|target| self.path(target.as_str()));
        if target
            .is_some_and(|target| *"-" == *target.as_str() || target.as_str().bytes().all(|byte| byte.is_ascii_digit()))
        {
            return;
        }
        // Without words it is the output of a whole group, which is not followed.
        let text = self.output.clone().filter(|_| !command.words.is_empty() && operator != ">&");
        self.write(path, &redirection.target, text, append, command.span);
    }

    fn write(&mut self, path: Option<String>, word: &Word, text: Option<Text>, append: bool, place: Span) {
        let Some(path) = path else { return self.hide(word, place) };
        if ["/dev", "/proc", "/sys"].iter().any(|folder| crate::read::image::files::below(folder, &path).is_some()) {
            return;
        }
        self.stage.image.changes.push(match text {
            Some(text) if text.as_str().len() <= LONGEST_TEXT && self.stage.written < MOST_TEXT => {
                self.stage.written += text.as_str().len();
                Change::Write { path, text, append, place }
            }
            _ => Change::Unknown { path: Some(path), place, why: "what the build writes there is not known" },
        });
    }

    /// Something happens at a path that is not known. What its literal front says bounds it; without one it is let
    /// pass, for temporary folders are named like that.
    fn hide(&mut self, word: &Word, place: Span) {
        let folder = literal_folder(word).and_then(|folder| self.path(&folder)).filter(|folder| folder != "/");
        if folder.is_some() {
            self.stage.unknown(folder, place, "a command of the build changes it");
        }
    }

    fn change(&mut self, change: Change) {
        self.stage.image.changes.push(change);
    }
}

/// What is left of a change that may not have happened.
fn doubted(change: Change) -> Option<Change> {
    let why = "it depends on a condition of the build";
    match change {
        Change::Remove { path, place } if is_pattern(&path) => {
            Some(Change::Unknown { path: Some(parent(&path).0.to_owned()), place, why })
        }
        Change::Copy { target: path, place, .. }
        | Change::Remove { path, place }
        | Change::Link { path, place, .. }
        | Change::Write { path, place, .. }
        | Change::Edit { path, place, .. } => Some(Change::Unknown { path: Some(path), place, why }),
        Change::Unknown { .. } => Some(change),
        Change::MakeDirectory { .. } | Change::Mode { .. } => None,
    }
}

/// The command behind `sudo`, `exec`, `env A=b` and their like.
fn unwrapped<'a, 'w>(arguments: &'a [Argument<'w>]) -> &'a [Argument<'w>] {
    let mut rest = arguments;
    while let [Argument { text: Some(first), .. }, others @ ..] = rest {
        let inside = rest.len() < arguments.len();
        let wrapper = matches!(first.as_str(), "sudo" | "exec" | "env" | "nice" | "nohup" | "gosu" | "su-exec");
        let skipped = match first.as_str() {
            "-u" | "-g" if inside => 1,
            "gosu" | "su-exec" => 1,
            _ => 0,
        };
        let part = inside && (first.as_str().starts_with('-') || first.as_str().contains('='));
        if others.len() <= skipped || !(wrapper || part) {
            break;
        }
        rest = &others[skipped..];
    }
    rest
}
