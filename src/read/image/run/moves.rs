//! Commands of a build that put files elsewhere, link them, or change how they may be used.

use crate::read::glob::is_pattern;
use crate::read::image::Change;
use crate::read::image::copy::brought;
use crate::read::image::files::{Start, find, join, parent};
use crate::read::image::run::effects::operands;
use crate::read::image::run::{Argument, Shell};
use crate::source::{Span, Text};

impl Shell<'_, '_> {
    pub fn directories(&mut self, arguments: &[Argument], place: Span) {
        for operand in operands(arguments, &["-m", "--mode"]).1 {
            if let Some(path) = self.named(operand) {
                self.change(Change::MakeDirectory { path, place });
            }
        }
    }

    pub fn mode(&mut self, arguments: &[Argument], place: Span) {
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
            if let Some(path) = self.named(operand) {
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

    pub fn link(&mut self, arguments: &[Argument], place: Span) {
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
                    self.write(self.named(last), last.word, None, false, place);
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

    pub fn copy(&mut self, arguments: &[Argument], moves: bool, place: Span) {
        let (flags, operands) = operands(arguments, &[]);
        let [sources @ .., target] = operands.as_slice() else { return };
        if flags.iter().any(|flag| flag.starts_with("-t") || flag.starts_with("--target")) {
            return sources.iter().for_each(|source| self.hide(source.word, place));
        }
        for source in sources {
            let from = self.named(source);
            let from = from.filter(|from| !is_pattern(from));
            let contents = source.text.as_ref().is_some_and(|text| text.as_str().ends_with("/."));
            let Some(from) = from else {
                let path = self.named(target);
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
            let (to, inside) = match (contents, self.named(target)) {
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

    pub fn install(&mut self, arguments: &[Argument], place: Span) {
        let valued = ["-m", "--mode", "-o", "--owner", "-g", "--group"];
        let (flags, operands) = operands(arguments, &valued);
        if flags.iter().any(|flag| *flag == "--directory" || (!flag.starts_with("--") && flag.contains('d'))) {
            for operand in operands {
                if let Some(path) = self.named(operand) {
                    self.change(Change::MakeDirectory { path, place });
                }
            }
            return;
        }
        let kept: Vec<Argument> =
            operands.iter().map(|operand| Argument { text: operand.text.clone(), word: operand.word }).collect();
        self.copy(&kept, false, place);
    }
}
