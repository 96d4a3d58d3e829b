//! Files that will be asked for, because a start command names them: read with the rest, they save a second judgement.

use memchr::memchr2_iter;

/// Formats, as [`super::names`] calls them, in which start commands stand.
const STARTS: &[&str] = &["compose", "dockerfile", "package", "procfile", "shell", "supervisor", "systemd"];

/// What is started by the name of its file, and tells where it listens.
const ENDINGS: &[&[u8]] = &[b"cjs", b"go", b"js", b"mjs", b"php", b"py", b"rb", b"ts"];

/// A longer name of a file is not looked for. In bytes.
const LONGEST: usize = 120;

/// So many folders of a container may stand before those of the project.
const FOLDERS: usize = 6;

/// Paths of files that commands in `text` may start: `node src/server.js`, `uvicorn app.main:app`. Only those that
/// `is_there` knows, some perhaps twice; `path` is that of the text.
pub fn started(format: &str, path: &str, text: &str, is_there: impl Fn(&str) -> bool) -> Vec<String> {
    let mut started = Vec::new();
    if !STARTS.contains(&format) {
        return started;
    }
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let bytes = text.as_bytes();
    for at in memchr2_iter(b'.', b':', bytes) {
        let behind = &bytes[at + 1..];
        if !behind.first().is_some_and(|byte| byte.is_ascii_alphabetic()) {
            continue;
        }
        let length = behind.iter().take(LONGEST).take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let is_file = bytes[at] == b'.' && ENDINGS.contains(&&behind[..length]);
        let is_module = bytes[at] == b':';
        if !is_file && !is_module {
            continue;
        }
        let before = &bytes[at.saturating_sub(LONGEST)..at];
        let size =
            before.iter().rev().take_while(|byte| byte.is_ascii_alphanumeric() || b"/._-@".contains(byte)).count();
        let file = match text.get(at - size..at) {
            Some("") | None => continue,
            Some(path) if is_module && path.contains('/') => continue,
            Some(module) if is_module => format!("{}.py", module.replace('.', "/")),
            Some(name) => format!("{name}{}", &text[at..at + 1 + length]),
        };
        started.extend(below(folder, &file, &is_there));
    }
    started
}

/// The file in the folder or in the root of the snapshot. A path in a container may begin with folders that are not here.
fn below(folder: &str, file: &str, is_there: impl Fn(&str) -> bool) -> Option<String> {
    let mut rest = file.trim_start_matches("./").trim_start_matches('/');
    for _ in 0..FOLDERS {
        let beside = if folder.is_empty() { rest.to_owned() } else { format!("{folder}/{rest}") };
        if let Some(path) = [beside, rest.to_owned()].into_iter().find(|path| is_there(path)) {
            return Some(path);
        }
        rest = rest.split_once('/')?.1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::started;

    #[test]
    fn commands_name_files() {
        let there = ["api/server.js", "api/app/main.py", "tools/seed.rb", "api/main.go"];
        let named = |format, text| started(format, "api/Dockerfile", text, |path| there.contains(&path)).join(" ");
        assert_eq!(named("dockerfile", "CMD [\"node\", \"./server.js\"]"), "api/server.js");
        assert_eq!(named("dockerfile", "CMD node /srv/bike/server.js"), "api/server.js");
        assert_eq!(named("dockerfile", "FROM python:3.13\nCMD uvicorn app.main:app"), "api/app/main.py");
        assert_eq!(named("dockerfile", "RUN ruby tools/seed.rb && go run main.go"), "tools/seed.rb api/main.go");
        assert_eq!(named("dockerfile", "COPY server.json é.js .js : a:b ."), "");
        assert_eq!(named("nginx", "server.js"), "");
    }
}
