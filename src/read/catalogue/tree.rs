//! What the catalogue says of the files that an image or a package of the operating system puts on disk.

use std::collections::BTreeMap;

use serde::Deserialize;

/// An entry of `trees.yaml`. `{}` in paths and contents stands for the version in the name of the package.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tree {
    pub source: String,
    /// Absolute paths and what they hold, in our own words: only what decides where something listens and which
    /// files are read. `~`: a file with contents that do not matter or are not known.
    pub files: BTreeMap<String, Option<String>>,
    /// Symbolic links and where they lead.
    pub links: BTreeMap<String, String>,
    /// Folders that exist; those of the files need not be named.
    pub folders: Vec<String>,
    /// Folders in which nothing else stands, at any depth, than what is named here.
    pub closed: Vec<String>,
    /// Folders below a closed one that may hold anything all the same.
    pub unknown: Vec<String>,
    /// Templates that become files when the container starts.
    pub templates: Option<Templates>,
}

/// How an image's entrypoint makes configuration files from templates with `envsubst`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Templates {
    /// The folder with the templates, and the variable that changes it.
    pub from: String,
    pub from_variable: String,
    /// The folder that the results are written to, and the variable that changes it. Subfolders are kept.
    pub to: String,
    pub to_variable: String,
    /// What a template's name ends in, which the result's name lacks, and the variable that changes it.
    pub suffix: String,
    pub suffix_variable: String,
    /// A variable with a regular expression: only variables whose names match are put in.
    pub filter_variable: String,
    /// Templates for `stream {}`: their suffix, folder and the variables that change them.
    #[serde(default)]
    pub stream: Option<StreamTemplates>,
}

/// Templates for `stream {}` of the official nginx image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamTemplates {
    pub to: String,
    pub to_variable: String,
    pub suffix: String,
    pub suffix_variable: String,
}

impl Tree {
    /// Nothing stands at this path unless the tree names it. The innermost folder that says something counts.
    pub fn is_closed(&self, path: &str) -> bool {
        let innermost = |folders: &[String]| {
            let around = folders.iter().filter(|folder| {
                let folder = folder.as_bytes();
                let folder = folder.strip_suffix(b"/").unwrap_or(folder);
                path.as_bytes().starts_with(folder) && matches!(path.as_bytes().get(folder.len()), None | Some(b'/'))
            });
            around.map(String::len).max()
        };
        innermost(&self.closed) > innermost(&self.unknown)
    }

    /// The tree of one version: `8.2` for the package `php8.2-fpm`.
    pub fn of_version(&self, version: &str) -> Tree {
        let put_in = |text: &String| text.replace("{}", version);
        Tree {
            source: self.source.clone(),
            files: self.files.iter().map(|(path, text)| (put_in(path), text.as_ref().map(put_in))).collect(),
            links: self.links.iter().map(|(path, to)| (put_in(path), put_in(to))).collect(),
            folders: self.folders.iter().map(put_in).collect(),
            closed: self.closed.iter().map(put_in).collect(),
            unknown: self.unknown.iter().map(put_in).collect(),
            templates: self.templates.clone(),
        }
    }
}

/// An entry of `packages.yaml`; its names are `apt nginx`, `apk php*-fpm`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Package {
    pub source: String,
    /// Names in `trees.yaml`.
    pub trees: Vec<String>,
    /// Tools for health checks that come with it.
    pub has: Vec<String>,
}
