//! Which folders of a server are entered: those that say what runs on it, not its programs, its data and what the kernel shows.

use std::collections::BTreeMap;
use std::path::Path;

use crate::coverage::LeftOut;

/// A folder, and how many levels of it are entered: 1 is the folder itself, 0 not even that. The longest path that fits
/// counts; "" is the server's `/`.
const LEVELS: &[(&str, usize)] = &[
    ("", 6),
    ("bin", 1),
    ("boot", 0),
    ("cdrom", 0),
    ("dev", 0),
    ("etc", 16),
    ("etc/ssl", 1),
    ("home", 9),
    ("lib", 1),
    ("lib/apk", 1),
    ("lib/apk/db", 1),
    ("lib/systemd", 1),
    ("lib/systemd/system", 3),
    ("lib/tmpfiles.d", 1),
    ("lib32", 0),
    ("lib64", 1),
    ("libx32", 0),
    ("lost+found", 0),
    ("media", 0),
    ("mnt", 0),
    ("nix", 0),
    ("opt", 8),
    ("proc", 0),
    ("root", 7),
    ("run", 0),
    ("sbin", 1),
    ("snap", 0),
    ("srv", 10),
    ("sys", 0),
    ("tmp", 0),
    ("usr", 1),
    ("usr/bin", 1),
    ("usr/lib", 1),
    ("usr/lib/firewalld", 3),
    ("usr/lib/nginx", 3),
    ("usr/lib/systemd", 1),
    ("usr/lib/systemd/system", 3),
    ("usr/lib/tmpfiles.d", 1),
    ("usr/lib64", 1),
    ("usr/lib64/nginx", 3),
    ("usr/local", 1),
    ("usr/local/bin", 1),
    ("usr/local/etc", 8),
    ("usr/local/lib", 1),
    ("usr/local/lib/systemd", 4),
    ("usr/local/nginx", 6),
    ("usr/local/openresty", 1),
    ("usr/local/openresty/nginx", 6),
    ("usr/local/sbin", 1),
    ("usr/sbin", 1),
    ("usr/share", 1),
    ("usr/share/nginx", 3),
    ("var", 1),
    ("var/lib", 1),
    ("var/lib/dpkg", 1),
    ("var/lib/systemd", 1),
    ("var/lib/systemd/linger", 1),
    ("var/spool", 1),
    ("var/spool/cron", 2),
    ("var/www", 9),
    ("www", 9),
];

/// Programs keep their caches and settings there; these two say what is started.
const HIDDEN: &[&str] = &[".config", ".pm2"];

/// Files that every reading of a server asks for; `*` at the end stands for the files of a folder.
const AT_ONCE: &[&str] = &["etc/hosts", "etc/passwd", "etc/group", "etc/default/*", "etc/sysconfig/*", "etc/ufw/*"];

/// When such a folder cannot be read, something may be missing.
const MISSED: &[&str] = &[
    "etc/apache2",
    "etc/haproxy",
    "etc/httpd",
    "etc/nginx",
    "etc/php",
    "etc/supervisor",
    "etc/systemd",
    "etc/uwsgi",
    "home",
    "opt",
    "root",
    "srv",
    "usr/local",
    "var/www",
    "www",
];

/// What is in the folder may matter. `path` is relative to `/`, without a slash in front.
pub fn is_entered(path: &str) -> bool {
    let row = LEVELS.iter().filter(|(folder, _)| is_below(path, folder)).max_by_key(|(folder, _)| folder.len());
    let Some((folder, levels)) = row else { return true };
    let rest = path[folder.len()..].trim_matches('/');
    let level = if rest.is_empty() { 1 } else { rest.split('/').count() + usize::from(!folder.is_empty()) };
    level <= *levels && !is_hidden(path)
}

/// A folder with a dot in front of its name, in somebody's home.
fn is_hidden(path: &str) -> bool {
    let below = path.strip_prefix("home/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let Some(below) = below.or_else(|| path.strip_prefix("root/")) else { return false };
    let first = below.split('/').next().unwrap_or_default();
    first.starts_with('.') && !HIDDEN.contains(&first)
}

/// The file is read before anybody asks for it.
pub fn is_read_at_once(path: &str) -> bool {
    AT_ONCE.iter().any(|known| match known.strip_suffix('*') {
        Some(folder) => path.strip_prefix(folder).is_some_and(|name| !name.contains('/')),
        None => path == *known,
    })
}

/// People are told when the folder cannot be read.
pub fn is_missed(path: &str) -> bool {
    MISSED.iter().any(|folder| path.starts_with(folder)) && !is_hidden(path)
}

/// The folder is the `/` of a whole system, not a copy of some of its files.
pub fn is_whole_system(folder: &Path) -> bool {
    let is_folder = |name: &str| folder.join(name).symlink_metadata().is_ok_and(|it| it.is_dir());
    folder.parent().is_none() || ["etc", "usr", "usr/bin", "var", "var/lib", "proc"].into_iter().all(is_folder)
}

fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Counts what is left out.
#[derive(Default)]
pub struct Tally {
    folders: BTreeMap<String, usize>,
}

impl Tally {
    pub fn add(&mut self, path: &str) {
        let (top, is_below) = path.split_once('/').map_or((path, false), |(top, _)| (top, true));
        *self.folders.entry(top.to_owned()).or_insert(0) += usize::from(is_below);
    }

    pub fn into_list(self) -> Vec<LeftOut> {
        self.folders.into_iter().map(|(folder, folders)| LeftOut { folder, folders }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{is_entered, is_read_at_once};

    #[test]
    fn folders_of_a_server() {
        for path in ["etc", "etc/nginx/sites-enabled", "usr", "usr/lib", "usr/lib/systemd/system/nginx.service.d"] {
            assert!(is_entered(path), "{path}");
        }
        for path in ["home/kim/shop/deploy/nginx", "srv/shop", "app/conf", "home/kim/.pm2", "var", "var/www/html"] {
            assert!(is_entered(path), "{path}");
        }
        for path in ["proc", "sys", "dev", "run", "usr/lib/python3", "usr/share/doc", "home/kim/.cache", "root/.npm"] {
            assert!(!is_entered(path), "{path}");
        }
        assert!(!is_entered("data/1/2/3/4/5/6") && is_entered("data/1/2/3/4/5"));
        assert!(!is_entered("var/lib/docker") && !is_entered("var/log") && is_entered("processes"));
    }

    #[test]
    fn files_of_a_server() {
        assert!(is_read_at_once("etc/hosts") && is_read_at_once("etc/default/shop"));
        assert!(!is_read_at_once("etc/default/deep/shop") && !is_read_at_once("srv/etc/hosts"));
    }
}
