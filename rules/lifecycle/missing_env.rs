//! Variables and files of variables without which a config is empty, invalid or refused.

use crate::finding::{Findings, Level};
use crate::rules::Rule;
use crate::site::Site;
use crate::site::trouble::{EmptyEffect, EmptyVariable, Trouble};

pub const RULE: Rule = Rule { id: "lifecycle/missing-env", doc: include_str!("missing_env.md"), check };

fn check(site: &Site, findings: &mut Findings) {
    for trouble in &site.troubles {
        let Trouble::EmptyVariable(variable) = trouble else { continue };
        let Some(level) = level(variable) else { continue };
        let finding = findings.add(level, variable.place, message(variable)).label(label(&variable.effect));
        for (place, words) in &variable.given {
            finding.note(*place, words.clone());
        }
        finding.help(help(variable));
    }
}

/// What the environment may still bring is at most a contradiction; what is made for each deploy is nothing at all.
fn level(variable: &EmptyVariable) -> Option<Level> {
    match (&variable.effect, variable.certain) {
        (EmptyEffect::FileMissing { template: Some(_), .. }, _) => None,
        (EmptyEffect::FileMissing { path, .. }, _) if is_kept_out(path) => Some(Level::Advice),
        // It may be written on the machine, as files with secrets are.
        (EmptyEffect::FileMissing { .. }, _) => Some(Level::Warning),
        (_, true) => Some(Level::Error),
        // The author asks for it in so many words.
        (EmptyEffect::Refused { .. }, false) => None,
        // Nobody says that it is given anywhere but by the shell of the deploy.
        (EmptyEffect::Empties { .. }, false) if variable.given.is_empty() => Some(Level::Advice),
        (_, false) => Some(Level::Warning),
    }
}

/// Files with secrets, which belong on the machine and not into the tree.
fn is_kept_out(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with(".env") || name.ends_with(".env") || path.contains(".envs/") || path.contains("secret")
}

fn message(variable: &EmptyVariable) -> String {
    let name = &variable.name;
    match &variable.effect {
        EmptyEffect::StaysLiteral { expression } => format!("`{expression}` stays in the config as it is"),
        EmptyEffect::StaysUnset { expression } => format!("`{expression}` stays in the config: `{name}` is not set"),
        EmptyEffect::Eats { variable } => format!("the substitution empties `{variable}` of the config itself"),
        EmptyEffect::Overwrites { path } => format!("`{path}` is emptied before it is read"),
        EmptyEffect::Empties { what } if what.contains(name.as_str()) => format!("`{name}` has no value"),
        EmptyEffect::Empties { what } => format!("`{name}` has no value, so {what} is empty"),
        EmptyEffect::TakenBefore { expression } => {
            format!("compose replaces `{expression}` itself, and there it has no value")
        }
        EmptyEffect::Refused { message } if message.is_empty() => format!("`{name}` has no value"),
        EmptyEffect::Refused { message } => format!("`{name}` has no value: {message}"),
        EmptyEffect::FileMissing { path, .. } => format!("the file of variables `{path}` is not there"),
        EmptyEffect::FileOfService { path, service } => {
            format!("`{service}` does not start: its file of variables `{path}` is not there")
        }
        EmptyEffect::FileElsewhere { program, wanted } => {
            format!("`{program}` looks for `{wanted}`, which is not there, so `{name}` is not set")
        }
        EmptyEffect::Required { program } => format!("`{program}` does not start without `{name}`"),
    }
}

fn label(effect: &EmptyEffect) -> &'static str {
    match effect {
        EmptyEffect::StaysLiteral { .. } => "defaults are not known to this substitution",
        EmptyEffect::StaysUnset { .. } => "only variables that exist are replaced",
        EmptyEffect::Eats { .. } => "replaces every word that looks like a variable",
        EmptyEffect::Overwrites { .. } => "reads what it writes to",
        EmptyEffect::Empties { .. } => "becomes empty",
        EmptyEffect::TakenBefore { .. } => "empty before the container starts",
        EmptyEffect::Refused { .. } | EmptyEffect::FileMissing { .. } => "nothing of the project starts",
        EmptyEffect::FileElsewhere { .. } => "it is started in this folder",
        EmptyEffect::Required { .. } | EmptyEffect::FileOfService { .. } => "needed here",
    }
}

fn help(variable: &EmptyVariable) -> String {
    let name = &variable.name;
    match &variable.effect {
        EmptyEffect::StaysLiteral { .. } => {
            format!("write `${{{name}}}` here, and set its default in the service's environment")
        }
        EmptyEffect::StaysUnset { .. } => {
            format!("set `{name}` in the environment of the service that does the substitution")
        }
        EmptyEffect::Eats { .. } => "tell it which variables to replace: `'$ONE $TWO'`".to_owned(),
        EmptyEffect::Overwrites { .. } => "keep the template under another name".to_owned(),
        EmptyEffect::Empties { .. } => format!("set `{name}`, or give it a default: `${{{name}:-value}}`"),
        EmptyEffect::TakenBefore { expression } => {
            format!("write `${expression}`, which reaches the container as `{expression}`")
        }
        EmptyEffect::Refused { .. } | EmptyEffect::Required { .. } => format!("set `{name}`"),
        EmptyEffect::FileOfService { path, .. } => {
            format!("make the file, or say that it may be missing: `EnvironmentFile=-{path}`")
        }
        EmptyEffect::FileElsewhere { .. } => {
            "start it in the folder of the file, or let it look for the file beside its own code".to_owned()
        }
        EmptyEffect::FileMissing { path, .. } => format!("add `{path}`, or mark it as optional with `required: false`"),
    }
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::example::{place, said, site};
    use crate::site::trouble::{EmptyEffect, EmptyVariable, Trouble};

    fn empty(effect: EmptyEffect, certain: bool, given: bool) -> String {
        let mut site = site();
        let given = if given { vec![(place(6), "`.env` does not set it".to_owned())] } else { Vec::new() };
        let name = "PORT".to_owned();
        site.troubles.push(Trouble::EmptyVariable(EmptyVariable { name, place: place(5), effect, given, certain }));
        said(&RULE, &mut site)
    }

    #[test]
    fn only_what_is_certain_is_an_error() {
        let empties = || EmptyEffect::Empties { what: "the port".to_owned() };
        let said = "at 5: `PORT` has no value, so the port is empty\n";
        assert_eq!(empty(empties(), true, false), format!("error {said}"));
        assert_eq!(empty(empties(), false, true), format!("warning {said}"));
        assert_eq!(empty(empties(), false, false), format!("advice {said}"));
        assert_eq!(empty(EmptyEffect::Refused { message: "set it".to_owned() }, false, false), "");
    }

    #[test]
    fn files_that_each_deploy_has_of_its_own_are_left_alone() {
        let missing = |path: &str, template: Option<&str>| {
            let (path, template) = (path.to_owned(), template.map(str::to_owned));
            empty(EmptyEffect::FileMissing { path, template }, true, false)
        };
        assert_eq!(missing("api/.env", Some("api/.env.example")), "");
        assert_eq!(missing("api/.env", None), "advice at 5: the file of variables `api/.env` is not there\n");
        assert_eq!(missing("api/vars", None), "warning at 5: the file of variables `api/vars` is not there\n");
    }
}
