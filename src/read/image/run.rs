//! `RUN`: what its commands do to files, as far as their lines alone say it.
//!
//! A command that may not run makes what it would change unknown. A command nobody knows here changes nothing that is
//! known, and marks the stage as one where files may appear.

use crate::read::image::Change;
use crate::read::image::copy::{brought, literal_folder};
use crate::read::image::files::{Start, find, join, parent};
use crate::read::image::glob::is_pattern;
use crate::read::image::packages::installed;
use crate::read::image::print;
use crate::read::image::sed::Edit;
use crate::read::image::stage::{Build, MOST_CHANGES, Stage, limited};
use crate::source::{Lookup, Span, Text, TextBuilder};
use crate::syntax::command_line::{Command, Joined, Redirection, Script, Word, exec, shell};
use crate::syntax::dockerfile::Form;
use std::collections::HashMap;

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

    fn effect(&mut self, name: &str, arguments: &[Argument], command: &Command, input: Option<Text>, sure: bool) {
        let place = command.span;
        match name {
            "cd" => self.enter(arguments, sure),
            "export" | "readonly" | "local" | "declare" => {
                for argument in arguments {
                    if let Some((name, value)) = argument.word.assignment() {
                        self.assign(&name.value, value.expand(&|name| self.lookup(name)), sure);
                    }
                }
            }
            "unset" | "read" => {
                for argument in arguments.iter().filter_map(|argument| argument.text.as_ref()) {
                    self.variables.insert(argument.to_string(), Lookup::Unknown);
                }
            }
            "rm" | "unlink" => {
                for operand in operands(arguments, &[]).1 {
                    match operand.text.as_ref().and_then(|text| self.path(text.as_str())) {
                        Some(path) => self.change(Change::Remove { path, place }),
                        None => self.hide(operand.word, place),
                    }
                }
            }
            "mkdir" => self.directories(arguments, place),
            "touch" => {
                for operand in operands(arguments, &["-d", "-r", "-t"]).1 {
                    let path = operand.text.as_ref().and_then(|text| self.path(text.as_str()));
                    let text = Text::fixed("", operand.word.span);
                    self.write(path, operand.word, Some(text), true, place);
                }
            }
            "chmod" => self.mode(arguments, place),
            "ln" => self.link(arguments, place),
            "cp" | "mv" => self.copy(arguments, name == "mv", place),
            "install" => self.install(arguments, place),
            "sed" => self.sed(arguments, place),
            "tee" => self.tee(arguments, input, place),
            "echo" => self.output = texts(arguments).and_then(|texts| print::echo(&texts, place)),
            "printf" => self.output = texts(arguments).and_then(|texts| print::printf(&texts, place)),
            "cat" => self.output = self.cat(arguments, input, place),
            "envsubst" => {
                let chosen = texts(arguments).filter(|texts| texts.len() <= 1);
                self.output = chosen.zip(input).and_then(|(chosen, input)| {
                    print::substituted(&input, chosen.first().map(Text::as_str), &|name| self.lookup(name))
                });
            }
            "sh" | "bash" | "ash" | "dash" => self.inner(arguments, command, sure),
            "curl" => self.download(arguments, &["-o", "--output"], command),
            "wget" => self.download(arguments, &["-O", "--output-document"], command),
            "tar" | "unzip" => self.download(arguments, &["-C", "-d", "--directory"], command),
            "set" | ":" | "true" | "false" | "[" | "[[" | "test" | "exit" | "sleep" | "ls" | "pwd" => {}
            _ => self.other(name, arguments, command),
        }
    }

    fn other(&mut self, name: &str, arguments: &[Argument], command: &Command) {
        self.stage.opaque = true;
        let program = Text::fixed(name, command.span);
        let words = arguments.iter().map(|argument| argument.text.clone());
        let words: Vec<Option<Text>> = std::iter::once(Some(program)).chain(words).collect();
        match installed(&words) {
            Some(packages) => self.stage.image.installed.extend(packages),
            None => self.stage.image.commands.push(command.clone()),
        }
        // `perl -pi -e …` and its like edit the files that they name.
        let edits = arguments.iter().filter_map(|argument| argument.text.as_ref());
        if matches!(name, "perl" | "ruby" | "awk" | "gawk" | "patch" | "crudini" | "dockerize" | "yq") {
            for text in edits.filter(|text| text.as_str().starts_with('/')) {
                let path = self.path(text.as_str());
                self.stage.unknown(path, command.span, "a command of the build changes it");
            }
        }
    }

    fn enter(&mut self, arguments: &[Argument], sure: bool) {
        let path = match arguments {
            [Argument { text: Some(path), .. }] if sure && *path != "-" => self.path(path.as_str()),
            _ => None,
        };
        self.directory = path;
    }

    fn directories(&mut self, arguments: &[Argument], place: Span) {
        for operand in operands(arguments, &["-m", "--mode"]).1 {
            if let Some(path) = operand.text.as_ref().and_then(|text| self.path(text.as_str())) {
                self.change(Change::MakeDirectory { path, place });
            }
        }
    }

    fn mode(&mut self, arguments: &[Argument], place: Span) {
        // `chmod -x file` takes a mode that looks like a flag.
        let modes = |text: &Text| matches!(text.as_str(), "-R" | "-v" | "-f" | "-c" | "--recursive");
        let mut rest = arguments.iter().filter(|argument| !argument.text.as_ref().is_some_and(modes));
        let Some(mode) = rest.next().and_then(|mode| mode.text.as_ref()) else { return };
        let mode = mode.as_str();
        let numeric = mode.bytes().all(|byte| byte.is_ascii_digit());
        let executable = match mode.split_once(['+', '=', '-']) {
            None if numeric => mode.bytes().rev().take(3).any(|digit| digit % 2 == 1),
            Some((_, letters)) if letters.contains(['x', 'X']) => !mode.contains('-'),
            _ => return,
        };
        for operand in rest {
            if let Some(path) = operand.text.as_ref().and_then(|text| self.path(text.as_str())) {
                self.change(Change::Mode { path, executable, place });
            }
        }
    }

    /// Where a file of this name lands, and where else if the base image has a folder at the first.
    fn target(&self, argument: &Argument, name: &str, several: bool) -> Option<(String, Option<String>)> {
        let text = argument.text.as_ref()?;
        let path = self.path(text.as_str())?;
        let inside = join(&path, name);
        let folder = several
            || text.as_str().ends_with('/')
            || matches!(text.as_str().rsplit('/').next(), Some("." | ".."))
            || matches!(find(&self.stage.image, self.build.sources, &path).start, Start::Directory);
        Some(if folder { (inside, None) } else { (path, Some(inside)) })
    }

    fn link(&mut self, arguments: &[Argument], place: Span) {
        let (flags, operands) = operands(arguments, &[]);
        let symbolic =
            flags.iter().any(|flag| *flag == "--symbolic" || (!flag.starts_with("--") && flag.contains('s')));
        let (targets, last) = match operands.as_slice() {
            [only] => (vec![*only], None),
            [targets @ .., last] => (targets.to_vec(), Some(*last)),
            [] => return,
        };
        if !symbolic {
            return self.copy(arguments, false, place);
        }
        for target in &targets {
            let Some(to) = &target.text else {
                if let Some(last) = last {
                    self.write(
                        last.text.as_ref().and_then(|text| self.path(text.as_str())),
                        last.word,
                        None,
                        false,
                        place,
                    );
                }
                continue;
            };
            let name = to.as_str().trim_end_matches('/').rsplit('/').next().unwrap_or("");
            let path = match last {
                Some(last) => self.target(last, name, targets.len() > 1).map(|(path, _)| path),
                None => self.path(name),
            };
            match (path, last) {
                (Some(path), _) => self.change(Change::Link { path, to: to.to_string(), place }),
                (None, Some(last)) => self.hide(last.word, place),
                (None, None) => {}
            }
        }
    }

    fn copy(&mut self, arguments: &[Argument], moves: bool, place: Span) {
        let (flags, operands) = operands(arguments, &[]);
        let [sources @ .., target] = operands.as_slice() else { return };
        if flags.iter().any(|flag| flag.starts_with("-t") || flag.starts_with("--target")) {
            return sources.iter().for_each(|source| self.hide(source.word, place));
        }
        for source in sources {
            let from = source.text.as_ref().and_then(|text| self.path(text.as_str()));
            let from = from.filter(|from| !is_pattern(from));
            let contents = source.text.as_ref().is_some_and(|text| text.as_str().ends_with("/."));
            let Some(from) = from else {
                let path = target.text.as_ref().and_then(|text| self.path(text.as_str()));
                self.write(path, target.word, None, false, place);
                continue;
            };
            let name = parent(&from).1.to_owned();
            let several = sources.len() > 1;
            let Some((to, inside)) = self.target(target, &name, several) else {
                self.hide(target.word, place);
                continue;
            };
            // `cp -r a/. b` copies what is in it.
            let (to, inside) = match (contents, target.text.as_ref().and_then(|text| self.path(text.as_str()))) {
                (true, Some(path)) => (path, None),
                _ => (to, inside),
            };
            let stage = &*self.stage;
            let changes = brought(&stage.image, stage.opaque, self.build.sources, (&from, &to), inside, place);
            self.stage.image.changes.extend(changes);
            if moves {
                self.change(Change::Remove { path: from, place });
            }
        }
    }

    fn install(&mut self, arguments: &[Argument], place: Span) {
        let valued = ["-m", "--mode", "-o", "--owner", "-g", "--group"];
        let (flags, operands) = operands(arguments, &valued);
        if flags.iter().any(|flag| *flag == "--directory" || (!flag.starts_with("--") && flag.contains('d'))) {
            for operand in operands {
                if let Some(path) = operand.text.as_ref().and_then(|text| self.path(text.as_str())) {
                    self.change(Change::MakeDirectory { path, place });
                }
            }
            return;
        }
        let kept: Vec<Argument> =
            operands.iter().map(|operand| Argument { text: operand.text.clone(), word: operand.word }).collect();
        self.copy(&kept, false, place);
    }

    fn sed(&mut self, arguments: &[Argument], place: Span) {
        let mut scripts = Vec::new();
        let mut files = Vec::new();
        let (mut in_place, mut extended, mut plain) = (false, false, true);
        let mut script_follows = false;
        for argument in arguments {
            let text = argument.text.as_ref();
            let flag = text.map(Text::as_str).filter(|text| text.len() > 1 && text.starts_with('-'));
            match flag {
                _ if std::mem::take(&mut script_follows) => scripts.push(text.cloned()),
                Some(flag) if flag.starts_with("--") => {
                    in_place |= flag.starts_with("--in-place");
                    extended |= flag == "--regexp-extended";
                    plain &= flag.starts_with("--in-place") || flag == "--regexp-extended";
                }
                Some(flag) => {
                    // What follows `i` is the suffix of a backup.
                    let letters = flag[1..].split('i').next().unwrap_or("");
                    in_place |= flag.contains('i');
                    extended |= letters.contains(['E', 'r']);
                    script_follows = letters.ends_with('e');
                    plain &= letters.chars().all(|letter| matches!(letter, 'E' | 'r' | 'e' | 's'));
                }
                None => files.push(argument),
            }
        }
        if !in_place {
            return;
        }
        let mut files = files.into_iter();
        if scripts.is_empty() {
            scripts.extend(files.next().map(|script| script.text.clone()));
        }
        let scripts: Option<Vec<Text>> = scripts.into_iter().collect();
        for file in files {
            let path = file.text.as_ref().and_then(|text| self.path(text.as_str()));
            match (path, &scripts) {
                (Some(path), _) if is_pattern(&path) => {
                    let folder = parent(path.split(['*', '?', '[']).next().unwrap_or("")).0.to_owned();
                    self.stage.unknown(Some(folder), place, "a command of the build changes it");
                }
                (Some(path), Some(scripts)) if plain => {
                    self.change(Change::Edit { path, edit: Edit { scripts: scripts.clone(), extended }, place });
                }
                (path, _) => self.write(path, file.word, None, false, place),
            }
        }
    }

    fn tee(&mut self, arguments: &[Argument], input: Option<Text>, place: Span) {
        let (flags, operands) = operands(arguments, &[]);
        let append = flags.iter().any(|flag| matches!(*flag, "-a" | "--append"));
        for operand in operands {
            let path = operand.text.as_ref().and_then(|text| self.path(text.as_str()));
            self.write(path, operand.word, input.clone(), append, place);
        }
        self.output = input;
    }

    fn cat(&self, arguments: &[Argument], input: Option<Text>, place: Span) -> Option<Text> {
        if arguments.is_empty() {
            return input;
        }
        let mut builder = TextBuilder::default();
        for name in texts(arguments)? {
            let text = match name.as_str() {
                "-" => input.clone()?,
                name if name.starts_with('-') => return None,
                name => self.text(name)?,
            };
            builder.push(&text, 0..text.as_str().len());
            if builder.len() > LONGEST_TEXT {
                return None;
            }
        }
        Some(builder.finish(place))
    }

    /// `sh -c "…"`
    fn inner(&mut self, arguments: &[Argument], command: &Command, sure: bool) {
        let [Argument { text: Some(flag), .. }, Argument { text: Some(text), .. }, ..] = arguments else {
            return self.other("sh", arguments, command);
        };
        if !(flag.as_str().starts_with('-') && flag.as_str().ends_with('c')) || self.depth >= DEEPEST {
            return self.other("sh", arguments, command);
        }
        let script = shell(text);
        let directory = self.directory.clone();
        self.depth += 1;
        if sure {
            self.script(&script);
        } else {
            script.commands.iter().for_each(|command| self.command(command, false));
        }
        self.depth -= 1;
        self.directory = directory;
        self.output = None;
    }

    /// The path behind one of the flags becomes unknown.
    fn download(&mut self, arguments: &[Argument], flags: &[&str], command: &Command) {
        self.stage.opaque = true;
        for pair in arguments.windows(2) {
            let [Argument { text: Some(flag), .. }, target] = pair else { continue };
            let letters = flag.as_str();
            let short = letters.starts_with('-') && !letters.starts_with("--");
            let asked = flags
                .iter()
                .any(|wanted| *wanted == letters || (short && wanted.len() == 2 && letters.ends_with(&wanted[1..])));
            if asked && !target.text.as_ref().is_some_and(|text| *text == "-") {
                let path = target.text.as_ref().and_then(|text| self.path(text.as_str()));
                self.write(path, target.word, None, false, command.span);
            }
        }
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

/// Flags and the rest; `valued` flags take the next word with them.
fn operands<'a, 'w>(arguments: &'a [Argument<'w>], valued: &[&str]) -> (Vec<&'a str>, Vec<&'a Argument<'w>>) {
    let (mut flags, mut operands) = (Vec::new(), Vec::new());
    let (mut skip, mut literal) = (false, false);
    for argument in arguments {
        let flag = argument.text.as_ref().map(Text::as_str).filter(|text| text.len() > 1 && text.starts_with('-'));
        match flag {
            _ if std::mem::take(&mut skip) => {}
            Some("--") if !literal => literal = true,
            Some(flag) if !literal => {
                skip = valued.contains(&flag);
                flags.push(flag);
            }
            _ => operands.push(argument),
        }
    }
    (flags, operands)
}

fn texts(arguments: &[Argument]) -> Option<Vec<Text>> {
    arguments.iter().map(|argument| argument.text.clone()).collect()
}
