//! What a `.dockerignore` keeps out of a build, and a `.gitignore` out of the tree.

use crate::read::image::glob::{component, matches};
use crate::source::Sources;

#[derive(Clone, Debug, Default)]
pub struct Ignored {
    /// The folder of the snapshot that the patterns are relative to.
    context: String,
    /// The pattern, and whether it takes back what an earlier one ignored. The last match counts.
    patterns: Vec<(String, bool)>,
}

impl Ignored {
    /// The file beside the Dockerfile that bears its name comes before the one of the context (Docker's build context page).
    pub fn read(sources: &Sources, context: &str, dockerfile: &str) -> Ignored {
        let below = if context.is_empty() { ".dockerignore".to_owned() } else { format!("{context}/.dockerignore") };
        let file = sources.read(&format!("{dockerfile}.dockerignore")).or_else(|| sources.read(&below));
        let Some(file) = file else { return Ignored::default() };
        let lines = sources.get(file).text.lines().map(str::trim);
        let patterns = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
            let (pattern, kept) = line.strip_prefix('!').map_or((line, false), |pattern| (pattern.trim(), true));
            let parts = pattern.split('/').filter(|part| !part.is_empty() && *part != ".");
            (parts.collect::<Vec<_>>().join("/"), kept)
        });
        Ignored { context: context.to_owned(), patterns: patterns.filter(|(pattern, _)| !pattern.is_empty()).collect() }
    }

    /// What git leaves out below a folder (git-scm.com/docs/gitignore): a pattern with a `/` in front or inside starts in
    /// the folder of the file, any other matches at every depth.
    fn by_git(sources: &Sources, folder: &str) -> Option<Ignored> {
        let path = if folder.is_empty() { ".gitignore".to_owned() } else { format!("{folder}/.gitignore") };
        let file = sources.read(&path)?;
        let lines = sources.get(file).text.lines().map(str::trim);
        let patterns = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
            let (pattern, kept) = line.strip_prefix('!').map_or((line, false), |pattern| (pattern, true));
            let pattern = pattern.trim_end_matches('/');
            match pattern.contains('/') {
                true => (pattern.trim_start_matches('/').to_owned(), kept),
                false => (format!("**/{pattern}"), kept),
            }
        });
        Some(Ignored { context: folder.to_owned(), patterns: patterns.collect() })
    }

    /// Whether a path of the snapshot is left out. A pattern that matches a folder matches what is in it.
    pub fn covers(&self, path: &str) -> bool {
        if self.patterns.is_empty() {
            return false;
        }
        let inside = match self.context.as_str() {
            "" => path,
            context => match path.strip_prefix(context).and_then(|rest| rest.strip_prefix('/')) {
                Some(inside) => inside,
                None => return false,
            },
        };
        let mut ignored = false;
        for (pattern, kept) in &self.patterns {
            // A name at any depth, as most patterns are, is looked for once in the whole path.
            let fits = || match pattern.strip_prefix("**/").filter(|name| !name.contains('/') && *name != "**") {
                Some(name) => inside.split('/').any(|part| component(name, part)),
                None => above_and_self(inside).any(|path| matches(pattern, path)),
            };
            if ignored == *kept && fits() {
                ignored = !kept;
            }
        }
        ignored
    }
}

/// `a`, `a/b`, `a/b/c`
fn above_and_self(path: &str) -> impl Iterator<Item = &str> {
    let slashes = path.match_indices('/').map(|(at, _)| &path[..at]);
    slashes.chain(std::iter::once(path))
}

/// Whether git keeps a path of the snapshot out of the tree, so that each machine has its own.
pub fn is_kept_out_by_git(sources: &Sources, path: &str) -> bool {
    let mut folder = path;
    while let Some((parent, _)) = folder.rsplit_once('/').or((!folder.is_empty()).then_some(("", folder))) {
        if Ignored::by_git(sources, parent).is_some_and(|ignored| ignored.covers(path)) {
            return true;
        }
        folder = parent;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Ignored, is_kept_out_by_git};
    use crate::source::Sources;

    #[test]
    fn the_last_pattern_counts() {
        let mut sources = Sources::default();
        sources.add("app/.dockerignore", "# no\nnode_modules\n/*.md\n!README.md\n**/secret\n");
        let ignored = Ignored::read(&sources, "app", "app/Dockerfile");
        for (path, expected) in [
            ("app/node_modules/x/y", true),
            ("app/a/node_modules", false),
            ("app/CHANGES.md", true),
            ("app/README.md", false),
            ("app/a/b/secret", true),
            ("node_modules/x", false),
        ] {
            assert_eq!(ignored.covers(path), expected, "{path}");
        }
    }

    #[test]
    fn git_keeps_out_what_its_files_name() {
        let mut sources = Sources::default();
        sources.add(".gitignore", "# made by setup\n/config/\n*.local.conf\ngate/site.conf\n!kept.local.conf\n");
        sources.add("web/.gitignore", "made\n");
        for path in ["config/a.conf", "web/x.local.conf", "gate/site.conf", "web/made/site.conf"] {
            assert!(is_kept_out_by_git(&sources, path), "{path}");
        }
        for path in ["web/config/a.conf", "kept.local.conf", "site.conf", "made/site.conf"] {
            assert!(!is_kept_out_by_git(&sources, path), "{path}");
        }
    }
}
