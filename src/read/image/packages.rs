//! The packages that a command installs.

use crate::read::image::Package;
use crate::source::{Spanned, Text};

/// How a package manager is asked.
struct Manager {
    name: &'static str,
    commands: &'static [&'static str],
    install: &'static [&'static str],
    /// Flags whose value is the next word.
    valued: &'static [&'static str],
    /// A flag without which nothing is installed for everyone.
    needs: &'static [&'static str],
}

const MANAGERS: &[Manager] = &[
    Manager {
        name: "apt",
        commands: &["apt-get", "apt", "aptitude"],
        install: &["install"],
        valued: &["-t", "-o", "-c", "--target-release"],
        needs: &[],
    },
    Manager {
        name: "apk",
        commands: &["apk"],
        install: &["add"],
        valued: &["-t", "--virtual", "-X", "--repository", "-p", "--root"],
        needs: &[],
    },
    Manager {
        name: "dnf",
        commands: &["dnf", "yum", "microdnf"],
        install: &["install"],
        valued: &["-c", "--enablerepo", "--disablerepo", "--setopt"],
        needs: &[],
    },
    Manager {
        name: "zypper",
        commands: &["zypper"],
        install: &["install", "in"],
        valued: &["-r", "--repo"],
        needs: &[],
    },
    Manager {
        name: "pip",
        commands: &["pip", "pip3", "uv", "pipx"],
        install: &["install", "add"],
        valued: &[
            "-r",
            "--requirement",
            "-c",
            "--constraint",
            "-i",
            "--index-url",
            "--extra-index-url",
            "-f",
            "-e",
            "-t",
            "--target",
        ],
        needs: &[],
    },
    Manager {
        name: "npm",
        commands: &["npm", "pnpm"],
        install: &["install", "i", "add"],
        valued: &["--prefix", "--registry"],
        needs: &["-g", "--global", "--location=global"],
    },
    Manager { name: "npm", commands: &["yarn"], install: &["add"], valued: &[], needs: &["global"] },
    Manager { name: "gem", commands: &["gem"], install: &["install"], valued: &["-v", "--version"], needs: &[] },
];

/// What the command installs; `None` when it is no command of a package manager.
pub fn installed(words: &[Option<Text>]) -> Option<Vec<Package>> {
    let mut words = words;
    let name =
        |word: &Option<Text>| word.as_ref().map(|word| word.as_str().rsplit('/').next().unwrap_or("").to_owned());
    // python -m pip, uv pip
    if let [Some(first), Some(flag), rest @ ..] = words {
        let python = first.as_str().rsplit('/').next().is_some_and(|name| name.starts_with("python"));
        if (python && *flag == "-m") || (*first == "uv" && *flag == "pip") {
            words = if python { rest } else { &words[1..] };
        }
    }
    let (command, rest) = words.split_first()?;
    let command = name(command)?;
    let manager = MANAGERS.iter().find(|manager| manager.commands.contains(&command.as_str()))?;
    let has = |wanted: &[&str]| rest.iter().flatten().any(|word| wanted.contains(&word.as_str()));
    if !has(manager.install) || (!manager.needs.is_empty() && !has(manager.needs)) {
        return Some(Vec::new());
    }
    let mut packages = Vec::new();
    let mut asked = false;
    let mut skip = false;
    for word in rest.iter() {
        let Some(word) = word else {
            skip = false;
            continue;
        };
        let text = word.as_str();
        if std::mem::take(&mut skip) || manager.needs.contains(&text) {
            continue;
        }
        if text.starts_with('-') {
            skip = manager.valued.contains(&text);
        } else if !asked {
            asked = manager.install.contains(&text);
        } else if let Some(name) = package(text) {
            packages.push(Package { manager: manager.name, name: Spanned::new(name.to_owned(), word.whole()) });
        }
    }
    Some(packages)
}

/// Why nothing is known of a folder that a package manager fills.
pub const INSTALLED: &str = "packages are installed there";

/// Package managers that put what a project asks for into a folder beside its manifest.
const FILLED: &[(&[&str], &[&str], &str)] = &[
    (&["npm", "pnpm", "bun"], &["ci", "install", "i", "add", "clean-install"], "node_modules"),
    (&["yarn"], &["install", "add", "--frozen-lockfile", "--immutable", "--production"], "node_modules"),
    (&["composer", "composer.phar"], &["install", "update", "require"], "vendor"),
    (&["uv"], &["sync"], ".venv"),
];

/// The folder of the working directory that a command fills with packages.
pub fn fills(words: &[Option<Text>]) -> Option<&'static str> {
    let words: Option<Vec<&str>> = words.iter().map(|word| word.as_ref().map(Text::as_str)).collect();
    let words = words?;
    let (first, rest) = words.split_first()?;
    let name = first.rsplit('/').next().unwrap_or_default();
    let (_, asked, folder) = FILLED.iter().find(|(names, ..)| names.contains(&name))?;
    let elsewhere = |word: &&str| {
        matches!(*word, "-g" | "global" | "-C" | "-d")
            || ["--global", "--location", "--prefix", "--cwd", "--dir", "--working-dir", "--project"]
                .iter()
                .any(|flag| word.starts_with(flag))
    };
    let installs = rest.iter().any(|word| asked.contains(word)) || (name == "yarn" && rest.is_empty());
    (installs && !rest.iter().any(elsewhere)).then_some(*folder)
}

/// The name of a package without version, extras, source.
fn package(text: &str) -> Option<&str> {
    if text.starts_with(['.', '/']) || text.contains("://") {
        return None;
    }
    let scope = usize::from(text.starts_with('@'));
    let end = text[scope..].find(['=', '<', '>', '~', '!', '[', '@', ';']).map_or(text.len(), |at| at + scope);
    (end > scope).then_some(&text[..end])
}
