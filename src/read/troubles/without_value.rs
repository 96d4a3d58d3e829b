//! Variables without value: what a template keeps or loses, and those of the compose files themselves.

use crate::read::compose::model::{HostPath, Project};
use crate::read::container::Container;
use crate::read::envsubst::{Leftover, LeftoverWhy};
use crate::read::image::Change;
use crate::read::snapshot::Tree as Snapshot;
use crate::read::starting;
use crate::read::surroundings::Found;
use crate::read::trees::Trees;
use crate::read::troubles::{ALSO, template_of};
use crate::site::Site;
use crate::site::trouble::{EmptyEffect, EmptyVariable, Trouble};
use crate::source::{Sources, Span};
use crate::syntax::nginx::{DirectiveRef, Tree};

/// Expressions that templates keep or lose.
pub fn leftovers(site: &mut Site, trees: &Trees<'_>, container: &Container<'_>) {
    for rendered in starting::templates(container) {
        let Change::Write { text, place, .. } = &rendered.change else { continue };
        let tree = trees.get(text);
        let mut eaten: Option<EmptyVariable> = None;
        for leftover in rendered.leftovers {
            let Some(effect) = effect(&leftover, &tree) else { continue };
            let around = Around::of(trees.sources(), leftover.place);
            if around.is_comment {
                continue;
            }
            let (name, here) = (leftover.name.clone(), leftover.place);
            if let EmptyEffect::Overwrites { .. } = effect {
                let lost = EmptyVariable { name, place: *place, effect, given: Vec::new(), certain: true };
                site.troubles.push(Trouble::EmptyVariable(lost));
                continue;
            }
            if let EmptyEffect::Eats { .. } = effect {
                // What a substitution takes away is its own fault, and said once: of the worst place.
                if around.statement == "log_format" || eaten.as_ref().is_some_and(|it| it.certain || !around.is_a_word)
                {
                    continue;
                }
                let given = vec![(here, "lost here".to_owned())];
                eaten = Some(EmptyVariable { name, place: *place, effect, given, certain: around.is_a_word });
                continue;
            }
            // Any word is a name of a server, and the only server of a port needs none.
            let certain = leftover.why != LeftoverWhy::Unknown && around.statement != "server_name";
            let variable = EmptyVariable { name, place: here, effect, given: Vec::new(), certain };
            site.troubles.push(Trouble::EmptyVariable(variable));
        }
        site.troubles.extend(eaten.map(Trouble::EmptyVariable));
    }
}

/// In bytes: how far back the beginning of a statement is looked for.
const REACH: usize = 2000;

/// What stands around an expression of a template.
struct Around<'t> {
    is_comment: bool,
    /// The first word of its statement.
    statement: &'t str,
    /// It is a whole argument, without which the statement lacks one.
    is_a_word: bool,
}

impl<'t> Around<'t> {
    fn of(sources: &'t Sources, place: Span) -> Around<'t> {
        let text = &*sources.get(place.file).text;
        let end = place.start as usize;
        // Far enough for a statement, and not the whole of a large file for each of its expressions.
        let start = (end.saturating_sub(REACH)..end).find(|at| text.is_char_boundary(*at)).unwrap_or(end);
        let before = text.get(start..end).unwrap_or("");
        let after = text.get(place.end as usize..).unwrap_or("");
        let line = before.rsplit('\n').next().unwrap_or("");
        let code: Vec<&str> = before.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let last_end = code.iter().rposition(|line| line.trim_end().ends_with([';', '{', '}']));
        let mut words = code[last_end.map_or(0, |at| at + 1)..].iter().flat_map(|line| line.split_whitespace());
        Around {
            is_comment: line.trim_start().starts_with('#') || line.contains(" #"),
            statement: words.next().unwrap_or(""),
            is_a_word: before.ends_with(char::is_whitespace) && after.starts_with([' ', '\t', '\n', '\r', ';']),
        }
    }
}

fn effect(leftover: &Leftover, tree: &Tree) -> Option<EmptyEffect> {
    let expression = leftover.expression.clone();
    match leftover.why {
        LeftoverWhy::Operator => Some(EmptyEffect::StaysLiteral { expression }),
        // In capitals it is a variable of the environment, unless the config sets it itself.
        LeftoverWhy::Unset if is_upper(&leftover.name) && !sets(tree, &leftover.name) => {
            Some(EmptyEffect::StaysUnset { expression })
        }
        LeftoverWhy::Emptied if is_upper(&leftover.name) => {
            Some(EmptyEffect::Empties { what: format!("`{expression}`") })
        }
        LeftoverWhy::Emptied => Some(EmptyEffect::Eats { variable: expression }),
        LeftoverWhy::OwnTemplate => Some(EmptyEffect::Overwrites { path: leftover.name.clone() }),
        LeftoverWhy::Unset | LeftoverWhy::Unknown => None,
    }
}

fn is_upper(name: &str) -> bool {
    !name.bytes().any(|byte| byte.is_ascii_lowercase())
}

/// The config gives the variable a value: `set`, `map`, `geo` and the like.
fn sets(tree: &Tree, name: &str) -> bool {
    let wanted = format!("${name}");
    let mut open: Vec<DirectiveRef<'_>> = tree.root().collect();
    while let Some(item) = open.pop() {
        let defines = matches!(&*item.name(), "set" | "map" | "geo" | "split_clients" | "perl_set" | "js_set");
        if defines && item.arguments().any(|word| word.value() == wanted) {
            return true;
        }
        open.extend(item.children());
    }
    false
}

/// Variables of the compose files themselves, and files of variables that are not there.
pub fn variables(site: &mut Site, sources: &Sources, project: &Project) {
    let folder = if project.folder.is_empty() { String::new() } else { format!("{}/", project.folder) };
    let environment = sources.read(&format!("{folder}.env"));
    for missing in &project.missing_variables {
        let given = environment.map(|file| (Span { file, start: 0, end: 0 }, "this file does not set it".to_owned()));
        let own = project.meant_inside.iter().find(|(variable, _)| *variable == missing.span);
        let own = own.map(|(_, place)| (*place, "set here, for the container only".to_owned()));
        let effect = match &missing.required {
            Some(message) => EmptyEffect::Refused { message: message.clone() },
            None if own.is_some() => EmptyEffect::TakenBefore { expression: format!("${{{}}}", missing.name) },
            None => EmptyEffect::Empties { what: missing.name.value.clone() },
        };
        let given = own.or(given);
        site.troubles.push(Trouble::EmptyVariable(EmptyVariable {
            name: missing.name.value.clone(),
            place: missing.span,
            effect,
            given: given.into_iter().collect(),
            certain: false,
        }));
    }
    // A file that is not there is told once, however many services want it.
    let mut files: Vec<EmptyVariable> = Vec::new();
    for service in &project.kept {
        for file in service.env_files.iter().filter(|file| file.required && file.found.is_none()) {
            let HostPath::Inside(path) = &file.file.path else { continue };
            let snapshot = Snapshot { sources, root: None };
            if !matches!(snapshot.find(path), Found::Absent) {
                continue;
            }
            let place = file.file.text.whole();
            let is_it = |known: &&mut EmptyVariable| match &known.effect {
                EmptyEffect::FileMissing { path: known, .. } => known == path,
                _ => false,
            };
            if let Some(known) = files.iter_mut().find(is_it) {
                if known.given.len() < ALSO && known.place != place {
                    known.given.push((place, format!("`{}` wants it, too", service.name.value)));
                }
                continue;
            }
            let effect = EmptyEffect::FileMissing { path: path.clone(), template: template_of(sources, path) };
            files.push(EmptyVariable { name: String::new(), place, effect, given: Vec::new(), certain: true });
        }
    }
    site.troubles.extend(files.into_iter().map(Trouble::EmptyVariable));
}
