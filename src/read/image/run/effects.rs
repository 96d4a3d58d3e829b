//! What the commands of a build do, one by one; those that put files elsewhere are in the file beside this one.

use crate::read::envsubst::{self, Leftover, LeftoverWhy, Which, substitute};
use crate::read::glob::is_pattern;
use crate::read::image::Change;
use crate::read::image::files::parent;
use crate::read::image::packages::{INSTALLED, fills, installed};
use crate::read::image::print;
use crate::read::image::run::{Argument, DEEPEST, LONGEST_TEXT, Shell};
use crate::read::image::sed::Edit;
use crate::source::{Lookup, Span, Text, TextBuilder};
use crate::syntax::command_line::{Command, shell};

impl Shell<'_, '_> {
    pub fn effect(&mut self, name: &str, arguments: &[Argument], command: &Command, input: Option<Text>, sure: bool) {
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
                    match self.named(operand) {
                        Some(path) => self.change(Change::Remove { path, place }),
                        None => self.hide(operand.word, place),
                    }
                }
            }
            "mkdir" => self.directories(arguments, place),
            "touch" => {
                for operand in operands(arguments, &["-d", "-r", "-t"]).1 {
                    let path = self.named(operand);
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
                let which = match texts(arguments).as_deref() {
                    Some([]) => Some(Which::All),
                    Some([names]) => Some(Which::Listed(envsubst::names(names.as_str()))),
                    _ => None,
                };
                self.output = which.zip(input).and_then(|(which, input)| self.substituted(&which, &input));
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
        if matches!(name, "go" | "cargo")
            && let Some(directory) = &self.directory
        {
            let known = |argument: &Argument| argument.text.clone().unwrap_or(Text::fixed("", argument.word.span));
            let words = std::iter::once(Text::fixed(name, command.span)).chain(arguments.iter().map(known));
            self.stage.image.compiled.push((words.collect(), directory.clone()));
        }
        let program = Text::fixed(name, command.span);
        let words = arguments.iter().map(|argument| argument.text.clone());
        let words: Vec<Option<Text>> = std::iter::once(Some(program)).chain(words).collect();
        match installed(&words) {
            Some(packages) => self.stage.image.installed.extend(packages),
            None => self.stage.image.commands.push(command.clone()),
        }
        if let Some(path) = fills(&words).and_then(|folder| self.path(folder)) {
            self.stage.unknown(Some(path), command.span, INSTALLED);
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
            let path = self.named(file);
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
            let path = self.named(operand);
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

    fn substituted(&self, which: &Which, input: &Text) -> Option<Text> {
        let done = substitute(input, which, &|name| self.lookup(name));
        let unknown = |leftover: &Leftover| leftover.why == LeftoverWhy::Unknown;
        (!done.leftovers.iter().any(unknown)).then_some(done.text)
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
                let path = self.named(target);
                self.write(path, target.word, None, false, command.span);
            }
        }
    }
}

/// Flags and the rest; `valued` flags take the next word with them.
pub fn operands<'a, 'w>(arguments: &'a [Argument<'w>], valued: &[&str]) -> (Vec<&'a str>, Vec<&'a Argument<'w>>) {
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
