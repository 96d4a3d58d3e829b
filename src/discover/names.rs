//! Which files are read at once, told by their names, and which folders are not entered at all.

use std::path::Path;

const MEGABYTE: u64 = 1 << 20;

/// A file that is larger is not read, whoever asks for it.
pub const LARGEST: u64 = 32 * MEGABYTE;

/// A kind of file that says something about proxies or about what stands behind them.
#[derive(Debug)]
pub struct Known {
    /// The name of the file in lower case; `*` stands for anything.
    pub name: &'static str,
    /// What it is called in reports.
    pub format: &'static str,
    /// A larger file of this name is left alone until somebody asks for it. In bytes.
    pub largest: u64,
}

const fn known(name: &'static str, format: &'static str) -> Known {
    Known { name, format, largest: LARGEST }
}

const fn small(name: &'static str, format: &'static str, largest: u64) -> Known {
    Known { name, format, largest }
}

/// The first row that fits counts.
pub const FILES: &[Known] = &[
    known("compose*.yml", "compose"),
    known("compose*.yaml", "compose"),
    known("docker-compose*.yml", "compose"),
    known("docker-compose*.yaml", "compose"),
    known("*.compose.yml", "compose"),
    known("*.compose.yaml", "compose"),
    small("*.yml", "yaml", MEGABYTE),
    small("*.yaml", "yaml", MEGABYTE),
    known("dockerfile", "dockerfile"),
    known("dockerfile.*", "dockerfile"),
    known("dockerfile-*", "dockerfile"),
    known("*.dockerfile", "dockerfile"),
    known("containerfile", "dockerfile"),
    known("containerfile.*", "dockerfile"),
    known(".dockerignore", "dockerignore"),
    known("*.dockerignore", "dockerignore"),
    small(".gitignore", "gitignore", MEGABYTE),
    known(".env", "env"),
    known(".env.*", "env"),
    known("*.env", "env"),
    known("supervisord*", "supervisor"),
    known("haproxy*.cfg", "haproxy"),
    known("*.cfg", "configuration"),
    known("caddyfile", "caddy"),
    known("caddyfile.*", "caddy"),
    known("*.caddyfile", "caddy"),
    known("*.ini", "ini"),
    known("*.service", "systemd"),
    known("*.socket", "systemd"),
    known("procfile", "procfile"),
    known("procfile.*", "procfile"),
    known("package.json", "package"),
    known("no502.toml", "settings"),
    known("*.conf", "configuration"),
    known("*.conf.*", "configuration"),
    known("nginx*", "nginx"),
    small("*.template", "template", MEGABYTE),
    small("*.tmpl", "template", MEGABYTE),
    small("*.sh", "shell", 64 << 10),
    // Where people write how they deploy.
    small("*.md", "text", 64 << 10),
    small("makefile", "make", 64 << 10),
    small("justfile", "just", 64 << 10),
];

/// Everything below a folder of such a name belongs to a proxy, whatever it is called.
const FOLDERS: &[&str] = &["nginx", "sites-*", "conf.d", "templates"];

/// What lies in those folders and is no configuration: pages and their pictures.
const PAGES: &[&str] = &[
    "html", "htm", "css", "js", "map", "json", "svg", "png", "jpg", "jpeg", "gif", "ico", "webp", "woff", "woff2",
    "ttf", "eot", "so", "gz", "br", "zip", "pem", "key", "crt", "md", "txt", "log", "py", "php", "rb", "go", "ts",
    "vue", "jinja2", "xml",
];

/// Generated or borrowed files lie in these folders. They exist for the snapshot; what they hold is not looked at.
const PRUNED: &[&str] = &[
    "node_modules",
    "bower_components",
    "vendor",
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    "__pycache__",
    ".terraform",
    ".next",
    ".nuxt",
    ".cache",
    ".tox",
    ".mypy_cache",
    ".pytest_cache",
    ".gradle",
];

/// A folder of such a name, as it is written, is a mistake: Docker makes one where the file that a mount names is missing.
const NEVER_FOLDERS: &[&str] = &["*.yml", "*.yaml", "*.conf", "*.template", "*.ini", "Dockerfile", "Caddyfile"];

/// The row for a file that is read at once. `path` is relative to the checked folder, with `/`.
pub fn read_at_once(path: &str) -> Option<Known> {
    let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
    let name = name.to_ascii_lowercase();
    if let Some(row) = FILES.iter().find(|row| fits(row.name, &name)) {
        return Some(Known { ..*row });
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let is_below = folders.split('/').any(folder_matters);
    (is_below && !PAGES.contains(&extension)).then(|| small("*", "configuration", MEGABYTE))
}

/// The files of a proxy lie in a folder of this name.
pub fn folder_matters(name: &str) -> bool {
    FOLDERS.iter().any(|pattern| fits(pattern, name))
}

/// A name that only a file should have.
pub fn names_a_file(name: &str) -> bool {
    NEVER_FOLDERS.iter().any(|pattern| fits(pattern, name))
}

/// The folder is not entered. `target` is an everyday word: only a build tool's one is meant.
pub fn is_pruned(folder: &Path, name: &str) -> bool {
    if name != "target" {
        return PRUNED.contains(&name);
    }
    let beside = |file: &str| folder.parent().is_some_and(|parent| parent.join(file).exists());
    folder.join("CACHEDIR.TAG").exists() || beside("Cargo.toml") || beside("pom.xml") || beside("build.sbt")
}

/// `*` stands for any characters, also none. Takes time in proportion to the two lengths multiplied, at worst.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut at, mut star) = (0, None);
    let mut byte = 0;
    while byte < name.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, byte));
            at += 1;
        } else if pattern.get(at) == Some(&name[byte]) {
            at += 1;
            byte += 1;
        } else if let Some((star_at, star_byte)) = star {
            star = Some((star_at, star_byte + 1));
            at = star_at + 1;
            byte = star_byte + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|left| *left == b'*')
}

#[cfg(test)]
mod tests {
    use super::{fits, is_pruned, names_a_file, read_at_once};
    use std::path::Path;

    #[test]
    fn names_say_what_is_read() {
        let format = |path: &str| read_at_once(path).map(|row| row.format);
        assert_eq!(format("docker-compose.prod.yml"), Some("compose"));
        assert_eq!(format("deploy/Dockerfile.web"), Some("dockerfile"));
        assert_eq!(format("api.Dockerfile"), Some("dockerfile"));
        assert_eq!(format("k8s/app.yaml"), Some("yaml"));
        assert_eq!(format(".env.production"), Some("env"));
        assert_eq!(format("etc/nginx/sites-available/shop"), Some("configuration"));
        assert_eq!(format("nginx/html/index.html"), None);
        assert_eq!(format("app/templates/home.html"), None);
        assert_eq!(format("nginx.prod"), Some("nginx"));
        assert_eq!(format("src/main.rs"), None);
        assert_eq!(read_at_once("entrypoint.sh").map(|row| row.largest), Some(65536));
    }

    #[test]
    fn stars_stand_for_anything() {
        assert!(fits("*.conf.*", "site.conf.template"));
        assert!(fits("nginx*", "nginx"));
        assert!(!fits("*.conf", "conf"));
        assert!(!fits("", "a"));
        assert!(fits("a*b*c", "aXbYbZc"));
        assert!(!fits("a*b*c", "aXbYbZ"));
    }

    #[test]
    fn folders_are_known_by_name() {
        assert!(is_pruned(Path::new("/nowhere/node_modules"), "node_modules"));
        assert!(!is_pruned(Path::new("/nowhere/target"), "target"));
        assert!(names_a_file("compose.yaml"));
        assert!(!names_a_file("conf.d"));
    }
}
