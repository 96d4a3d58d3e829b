//! The command as people and scripts meet it: exit statuses, formats, bad usage, and folders that are not as they should be.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// A comment that allows what nothing reports: one warning, without any proxy being judged.
const WARNS: &str = "events {}\n# no502: allow target\nhttp {}\n";

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Folder {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("no502-cli-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        let folder = Folder(fs::canonicalize(path).expect("it was made above"));
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder in the folder");
        fs::write(path, bytes).expect("a file in the folder");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_no502"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "FORCE_COLOR", "LC_ALL", "LC_CTYPE", "TERM"] {
            command.env_remove(name);
        }
        command.env("LANG", "C.UTF-8");
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        Answer::of(self.command(arguments).output().expect("the command starts"))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let answer = self.run(&[&["check", "--format", "json"], arguments].concat());
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
struct Answer {
    status: Option<i32>,
    out: String,
    error: String,
}

impl Answer {
    fn of(output: Output) -> Answer {
        Answer {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).expect("reports are UTF-8"),
            error: String::from_utf8(output.stderr).expect("complaints are UTF-8"),
        }
    }

    /// A complaint is one line, and nothing else is said.
    fn complaint(&self) -> &str {
        assert_eq!((self.status, self.out.as_str()), (Some(2), ""), "{self:?}");
        assert_eq!(self.error.lines().count(), 1, "{self:?}");
        self.error.trim_end().strip_prefix("no502: ").unwrap_or_else(|| panic!("{self:?}"))
    }
}

#[test]
fn the_status_says_whether_something_was_found() {
    let folder = Folder::new(&[("nginx.conf", WARNS)]);
    let status = |arguments: &[&str]| folder.run(arguments).status;
    assert_eq!(status(&[]), Some(0));
    assert_eq!(status(&["check", "."]), Some(0));
    assert_eq!(status(&["--fail-on", "warning"]), Some(1));
    assert_eq!(status(&["--fail-on", "advice", "--format", "json"]), Some(1));
    assert_eq!(status(&["--fail-on", "never"]), Some(0));
    assert_eq!(status(&["--fail-on", "warning", "--allow", "syntax"]), Some(0));
    assert_eq!(status(&["--fail-on", "warning", "--rule", "syntax/unused-allow"]), Some(1));
    assert_eq!(status(&["--fail-on", "warning", "--rule", "timeout"]), Some(0));
}

#[test]
fn what_fails_is_shown() {
    let folder = Folder::new(&[("nginx.conf", WARNS)]);
    let line = "nginx.conf:2:16: warning: `target` is allowed, and nothing reports it at this place [syntax/unused-allow]\n  help: remove the comment\n";
    assert_eq!(folder.run(&["--format", "line"]).out, line);
    assert_eq!(folder.run(&["--format", "line", "--level", "error"]).out, "");
    let human = folder.run(&["--level", "error"]).out;
    assert!(human.ends_with("; 1 finding is left out by what was asked for\n"), "{human}");
    assert_eq!(folder.run(&["--format", "line", "--level", "error", "--fail-on", "warning"]).out, line);
}

#[test]
fn each_format_says_the_same() {
    let folder = Folder::new(&[("deploy/nginx.conf", WARNS)]);
    let document = folder.json(&["deploy"]);
    assert_eq!(document["version"], 1);
    assert_eq!(document["findings"][0]["file"], "deploy/nginx.conf");
    assert_eq!(document["findings"][0]["start"]["offset"], 25);
    assert_eq!(document["summary"]["warnings"], 1);
    let human = folder.run(&["deploy"]).out;
    assert!(human.contains("warning[syntax/unused-allow]") && human.contains("╭─[deploy/nginx.conf:2:16]"), "{human}");
    assert!(human.contains("1 warning in 1 file\n"), "{human}");
}

#[test]
fn bad_usage_is_one_sentence() {
    let folder = Folder::new(&[("nginx.conf", WARNS)]);
    let complaint = |arguments: &[&str]| folder.run(arguments).complaint().to_owned();
    assert_eq!(complaint(&["not/there"]), "`not/there` cannot be read: no such file or folder");
    let words = "`chekc` is neither a file or folder nor a command; did you mean `no502 check`?";
    assert_eq!(complaint(&["chekc"]), words);
    let words = "no rule or family is called `timeout/to-low`; did you mean `timeout/too-low`?";
    assert_eq!(complaint(&["--rule", "timeout/to-low"]), words);
    assert_eq!(
        complaint(&["explain", "unused-allow"]),
        "no rule or family is called `unused-allow`; did you mean `syntax/unused-allow`?"
    );
    assert!(complaint(&["--fromat", "json"]).contains("'--fromat'"));
    assert!(complaint(&["--format", "yaml"]).contains("human, line, json"));
    assert!(complaint(&["--stdin-filename", "../elsewhere.conf", "."]).contains("lies in none of the folders"));
}

#[test]
fn rules_explain_themselves() {
    let folder = Folder::new(&[]);
    let rules = folder.run(&["rules"]);
    assert_eq!((rules.status, rules.error.as_str()), (Some(0), ""));
    for line in rules.out.lines() {
        let id = line.split(' ').next().unwrap_or("");
        let page = folder.run(&["explain", id]);
        assert_eq!(page.out.lines().next(), Some(id));
        assert!(!page.out.contains("```"), "{}", page.out);
    }
    assert!(folder.run(&["explain", "syntax"]).out.contains("syntax/unused-allow  "));
    assert_eq!(folder.run(&["--version"]).out, format!("no502 {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(folder.run(&["--help"]).status, Some(0));
}

#[test]
fn of_a_file_its_project_is_read() {
    let files = [("compose.yaml", "services: {}\n"), ("nginx/a.conf", WARNS), ("nginx/b.conf", WARNS)];
    let folder = Folder::new(&files);
    let paths = |arguments: &[&str]| -> Vec<String> {
        let findings = folder.json(arguments)["findings"].as_array().cloned().unwrap_or_default();
        findings.iter().map(|finding| finding["file"].as_str().unwrap_or("").to_owned()).collect()
    };
    assert_eq!(paths(&["nginx/a.conf"]), ["nginx/a.conf"]);
    assert_eq!(paths(&["nginx/b.conf", "./nginx/a.conf"]), ["nginx/a.conf", "nginx/b.conf"]);
    assert_eq!(paths(&["nginx/b.conf", "."]), ["nginx/a.conf", "nginx/b.conf"]);
    assert_eq!(paths(&[".", "nginx"]), ["nginx/a.conf", "nginx/b.conf"]);
    let whole = folder.0.join("nginx/a.conf");
    assert_eq!(paths(&[whole.to_str().expect("a temporary folder has a plain name")]), ["nginx/a.conf"]);
}

#[test]
fn a_path_elsewhere_is_named_from_here() {
    let folder = Folder::new(&[("here/x", ""), ("there/nginx.conf", WARNS)]);
    let mut command = folder.command(&["--format", "line", "../there"]);
    let out = Answer::of(command.current_dir(folder.0.join("here")).output().expect("the command starts")).out;
    assert!(out.starts_with("../there/nginx.conf:2:16: "), "{out}");
}

fn with_input(folder: &Folder, arguments: &[&str], input: &str) -> Answer {
    let mut child = folder
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("the command reads it");
    Answer::of(child.wait_with_output().expect("the command ends"))
}

#[test]
fn an_unsaved_text_counts_instead_of_the_saved_one() {
    let folder =
        Folder::new(&[("compose.yaml", "services: {}\n"), ("nginx/a.conf", "events {}\n"), ("nginx/b.conf", WARNS)]);
    let lines = |arguments: &[&str], input: &str| -> Vec<String> {
        let answer = with_input(&folder, &[&["--format", "line"], arguments].concat(), input);
        answer
            .out
            .lines()
            .filter(|line| !line.starts_with(' '))
            .map(|line| line[..line.find(": ").unwrap_or(0)].to_owned())
            .collect()
    };
    assert_eq!(lines(&["--stdin-filename", "nginx/a.conf"], "# no502: allow target\n"), ["nginx/a.conf:1:16"]);
    assert_eq!(
        lines(&["--stdin-filename", "nginx/new.conf", "."], "\n# no502: allow target\n"),
        ["nginx/new.conf:2:16"]
    );
    assert_eq!(lines(&["--stdin-filename", "nginx/b.conf"], "events {}\n"), Vec::<String>::new());
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let many = "# no502: allow target\nlisten 80;\n".repeat(20_000);
    let folder = Folder::new(&[("nginx.conf", &many)]);
    let mut child = folder
        .command(&["--format", "line"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut out = child.stdout.take().expect("it is piped");
    let mut first = [0; 10];
    out.read_exact(&mut first).expect("something is said");
    drop(out);
    let answer = Answer::of(child.wait_with_output().expect("the command ends"));
    assert_eq!((answer.status, answer.error.as_str()), (Some(0), ""));
}

#[test]
fn colours_are_a_choice() {
    let folder = Folder::new(&[("nginx.conf", WARNS)]);
    let is_coloured = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = folder.command(arguments).envs(variables.iter().copied()).output().expect("the command starts");
        output.stdout.contains(&0x1b)
    };
    assert!(!is_coloured(&[], &[]));
    assert!(is_coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(is_coloured(&[], &[("FORCE_COLOR", "1")]));
    assert!(is_coloured(&[], &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")]));
    assert!(!is_coloured(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!is_coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    let plain = folder.command(&[]).env("LANG", "C").output().expect("the command starts");
    assert!(plain.stdout.is_ascii());
}

/// What the report says about a file that was not read.
fn reason<'d>(document: &'d Value, path: &str) -> &'d str {
    let files = document["files"].as_array().map_or(&[][..], Vec::as_slice);
    let file = files.iter().find(|file| file["path"] == path && file["read"] == "no");
    file.and_then(|file| file["reason"].as_str()).unwrap_or_else(|| panic!("{path} is not in {document}"))
}

#[test]
fn a_folder_named_like_a_file_is_told() {
    let folder = Folder::new(&[("compose.yaml/x", ""), ("nginx.conf", WARNS)]);
    let document = folder.json(&[]);
    assert_eq!(reason(&document, "compose.yaml"), "a folder, not a file");
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(1));
    assert_eq!(folder.run(&["--strict"]).status, Some(1));
    assert!(folder.run(&[]).out.ends_with("not read: compose.yaml (a folder, not a file)\n"));
    assert_eq!(folder.run(&["--format", "line"]).error, "no502: `compose.yaml` was not read: a folder, not a file\n");
}

#[test]
fn half_a_project_is_told() {
    let front = "services:\n  web:\n    image: nginx\n    depends_on: [api]\n";
    let back = "services:\n  api:\n    image: redis\n";
    let folder = Folder::new(&[("front/compose.yaml", front), ("back/compose.yaml", back)]);
    let document = folder.json(&[]);
    let why = "there is no service `api` to depend on: it is used with another file, and nothing says which";
    assert_eq!(reason(&document, "front/compose.yaml"), why);
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(0));
}

#[test]
fn a_file_that_is_too_large_is_told() {
    let folder = Folder::new(&[("nginx.conf", WARNS)]);
    let huge = fs::File::create(folder.0.join("compose.yaml")).expect("a file in the folder");
    huge.set_len(50 << 20).expect("a file with a hole");
    let document = folder.json(&[]);
    assert_eq!(reason(&document, "compose.yaml"), "50 MB, more than the 32 MB that are read");
    assert_eq!(document["summary"]["warnings"], 1);
}

#[test]
fn odd_bytes_do_not_hide_the_rest() {
    let folder = Folder::new(&[]);
    folder.write("latin.conf", b"# caf\xE9\n# no502: allow target\n");
    folder.write("wide.conf", b"\xFF\xFEa\0");
    folder.write("nul.conf", b"\0\0\n# no502: allow target\n\0");
    folder.write("mark.conf", b"\xEF\xBB\xBF# no502: allow target\n");
    let document = folder.json(&[]);
    assert!(reason(&document, "wide.conf").starts_with("UTF-16"));
    let findings = document["findings"].as_array().cloned().unwrap_or_default();
    let offsets: Vec<_> = findings.iter().map(|finding| finding["start"]["offset"].as_u64()).collect();
    assert_eq!(offsets, [Some(22), Some(18), Some(18)]);
}

#[test]
fn a_link_that_was_unpacked_as_a_file_is_a_link() {
    let files = [
        ("etc/nginx/nginx.conf", "http { include /etc/nginx/sites-enabled/*; }\n"),
        ("etc/nginx/sites-available/shop", "server { listen 80; }\n# no502: allow target\n"),
        ("etc/nginx/sites-enabled/shop", "../sites-available/shop"),
        ("etc/nginx/sites-enabled/again", "/etc/nginx/sites-available/shop"),
    ];
    let lines = Folder::new(&files).run(&["--format", "line"]).out;
    assert!(lines.starts_with("etc/nginx/sites-available/shop:2:16: "), "{lines}");
    assert!(!lines.contains("sites-enabled"), "{lines}");
}

#[test]
fn borrowed_folders_are_not_entered() {
    let files = [("node_modules/a/nginx.conf", WARNS), (".git/nginx.conf", WARNS), ("target/nginx.conf", WARNS)];
    let folder = Folder::new(&files);
    assert_eq!(folder.json(&[])["findings"][0]["file"], "target/nginx.conf");
    folder.write("Cargo.toml", b"");
    assert_eq!(folder.json(&[])["findings"].as_array().map(Vec::len), Some(0));
    assert_eq!(folder.json(&["node_modules"])["findings"].as_array().map(Vec::len), Some(1));
}

#[test]
fn many_files_come_in_the_same_order_every_time() {
    let names: Vec<String> = (0..300).map(|number| format!("sites-enabled/site{number}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), WARNS)).collect();
    let folder = Folder::new(&files);
    let first = folder.run(&["--format", "json"]).out;
    assert_eq!(first.matches("unused-allow").count(), 300);
    for _ in 0..5 {
        assert_eq!(folder.run(&["--format", "json"]).out, first);
    }
}

const SHOP: &str = "server {\n  listen 80;\n  server_name shop.test;\n  # no502: allow timeout\n  proxy_connect_timeout 1ms;\n  location / { proxy_pass http://web:81; }\n}\n";
const PROJECT: &str = "services:\n  proxy:\n    image: nginx:1.27.3\n    volumes: ['./shop.conf:/etc/nginx/conf.d/default.conf']\n  web:\n    image: nginx:1.27\n";

#[test]
fn an_audit_says_what_the_machine_is_and_hides_nothing() {
    let folder = Folder::new(&[("compose.yaml", PROJECT), ("shop.conf", SHOP)]);
    let checked = folder.run(&["check"]);
    assert!(!checked.out.contains("timeout/too-low") && !checked.out.contains("advice["), "{checked:?}");
    let audited = folder.run(&["audit"]);
    assert_eq!(audited.status, Some(1));
    let header = "nginx 1.27.3 in service `proxy` (compose.yaml:3): 1 site, 1 route to 1 backend\n";
    assert!(audited.out.starts_with(header), "{}", audited.out);
    let listeners = "\nlisteners found: 1 on service `proxy`, 1 on service `web`\nfiles: 2 read, 0 in part, 0 not\n\n";
    assert!(audited.out.contains(listeners), "{}", audited.out);
    let at = |text: &str| audited.out.find(text).unwrap_or_else(|| panic!("{text}: {}", audited.out));
    let site = at("=== shop.test (shop.conf:1)\n");
    assert!(site < at("warning[timeout/too-low]") && site < at("error[target/port-mismatch]"));
    assert!(site < at("advice["));
    let line = folder.run(&["audit", "--format", "line", "--rule", "timeout"]);
    assert_eq!((line.status, line.out.lines().count()), (Some(0), 2), "{line:?}");
}

#[test]
fn an_audit_says_what_it_does_not_know() {
    let project = PROJECT.replace("image: nginx:1.27\n", "image: shop.test/own\n");
    let folder = Folder::new(&[("compose.yaml", &project), ("shop.conf", SHOP)]);
    let audited = folder.run(&["audit"]).out;
    assert!(
        audited.contains("listeners found: 1 on service `proxy`\n  there may be more on service `web`: "),
        "{audited}"
    );
}

#[test]
fn what_was_understood_can_be_listed() {
    let folder = Folder::new(&[("compose.yaml", PROJECT), ("shop.conf", SHOP)]);
    let lists = folder.run(&["audit", "--list-listeners", "--list-routes"]);
    let listeners = "service `proxy`\n  *:80  HTTP     `nginx` is told to listen (shop.conf:2:10)\nservice `web`\n";
    assert!(lists.out.starts_with(listeners), "{}", lists.out);
    let routes = "\n2 listeners\nnginx in service `proxy`\n  shop.test / -> web:81: refused, nothing listens there\n    shop.conf:6:34\n1 route\n";
    assert!(lists.out.ends_with(routes), "{}", lists.out);
    assert_eq!(lists.status, Some(0));
    folder.write("shop.conf", SHOP.replace("web:81", "web:80").as_bytes());
    let routes = folder.run(&["--list-routes"]).out;
    assert!(routes.contains("shop.test / -> web:80: delivered, service `web` on *:80: "), "{routes}");
    let document = folder.json(&["--list-listeners"]);
    assert_eq!(document["listeners"][0]["address"], "*:80");
    assert_eq!(document["listeners"][0]["machine"], "service `proxy`");
    assert_eq!(document["listeners"][0]["file"], "shop.conf");
}

/// What becomes of each route of a server whose open sockets are in a file.
fn outcomes(table: &str) -> Vec<String> {
    let main = "events {}\nhttp { server { listen 80;\n  location / { proxy_pass http://127.0.0.1:3000; }\n  location /b { proxy_pass http://127.0.0.1:80/c; }\n  location /php { fastcgi_pass unix:/var/run/php/shop.sock; }\n} }\n";
    let folder = Folder::new(&[("root/etc/nginx/nginx.conf", main), ("sockets.txt", table)]);
    let document = folder.json(&["--root", "root", "--listening", "sockets.txt"]);
    let routes = document["routes"].as_array().into_iter().flatten();
    routes.map(|route| route["outcome"].as_str().unwrap_or("").to_owned()).collect()
}

#[test]
fn sockets_that_were_seen_are_all_that_there_are() {
    let tcp = "LISTEN 0 511 127.0.0.1:3000 0.0.0.0:* users:((\"node\",pid=9,fd=18))\n";
    let unix = "u_str LISTEN 0 4096 /run/php/shop.sock 24013 * 0\n";
    assert_eq!(outcomes(tcp), ["delivered", "delivered", "undecided"]);
    assert_eq!(outcomes(unix), ["undecided", "delivered", "delivered"]);
    assert_eq!(outcomes(&tcp.replace("3000", "3001")), ["refused", "delivered", "undecided"]);
    assert_eq!(outcomes(&unix.replace("shop", "blog")), ["undecided", "delivered", "refused"]);
    assert_eq!(outcomes(&format!("{tcp}{unix}")), ["delivered", "delivered", "delivered"]);
    let named = tcp.replace("3000", "hbci");
    assert_eq!(outcomes(&format!("{named}{}", tcp.replace("3000", "1"))), ["undecided", "delivered", "undecided"]);
    assert_eq!(outcomes("nothing\n"), ["undecided", "delivered", "undecided"]);
}

#[test]
fn a_list_of_sockets_is_evidence_with_a_place() {
    let main = "events {}\nhttp { server { listen 80; location / { proxy_pass http://127.0.0.1:3000; } } }\n";
    let table = "Netid State\ntcp LISTEN 0 511 127.0.0.1:3001 0.0.0.0:* users:((\"node\",pid=9,fd=18))\n";
    let folder = Folder::new(&[("root/etc/nginx/nginx.conf", main), ("given/ss.txt", table), ("empty", "")]);
    let document = folder.json(&["--root", "root", "--listening", "given/ss.txt"]);
    let finding = &document["findings"][0];
    assert_eq!(finding["rule"], "target/port-mismatch");
    let notes: Vec<_> = finding["notes"].as_array().into_iter().flatten().collect();
    assert!(notes.iter().any(|note| note["file"] == "given/ss.txt" && note["start"]["line"] == 2), "{finding}");
    assert_eq!(reason(&folder.json(&["--listening", "empty"]), "empty"), "no line of it is a listening socket");
    let complaint = folder.run(&["--listening", "none", "root"]).complaint().to_owned();
    assert_eq!(complaint, "`none` cannot be read: no such file or folder");
    assert_eq!(
        folder.run(&["--root", "root", "--live"]).complaint(),
        "`--live` asks this machine, so it needs `--root /`"
    );
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;
    use std::os::unix::process::CommandExt as _;

    use super::{Answer, Folder, WARNS, fs, reason};

    #[test]
    fn links_are_not_followed() {
        let outside = Folder::new(&[("nginx.conf", WARNS)]);
        let folder = Folder::new(&[("sites-available/shop", WARNS)]);
        let link = |to: &OsStr, at: &str| symlink(to, folder.0.join(at)).expect("a link in the folder");
        fs::create_dir(folder.0.join("sites-enabled")).expect("a folder in the folder");
        link(OsStr::new("../sites-available/shop"), "sites-enabled/shop");
        link(OsStr::new("."), "loop");
        link(OsStr::new("self"), "self");
        link(outside.0.as_os_str(), "outside");
        link(outside.0.join("nginx.conf").as_os_str(), "nginx.conf");
        let document = folder.json(&[]);
        let findings = document["findings"].as_array().cloned().unwrap_or_default();
        let files: Vec<_> = findings.iter().map(|finding| finding["file"].as_str()).collect();
        assert_eq!(files, [Some("sites-available/shop")]);
        let elsewhere =
            format!("a link to `{}/nginx.conf`, which is not in the folder that is checked", outside.0.display());
        assert_eq!(reason(&document, "nginx.conf"), elsewhere);
        assert_eq!(folder.json(&["sites-enabled/shop"])["findings"][0]["file"], "sites-available/shop");
        assert!(reason(&folder.json(&["nginx.conf"]), "nginx.conf").starts_with("a link to "));
        fs::write(folder.0.join("compose.yaml"), "").expect("a file in the folder");
        assert_eq!(folder.json(&["sites-enabled/shop"])["findings"][0]["file"], "sites-available/shop");
        assert_eq!(folder.run(&["self"]).status, Some(2));
        assert_eq!(folder.json(&["outside"])["findings"][0]["file"], "outside/nginx.conf");
    }

    /// A server whose links are absolute; some of them lead to files that are outside only.
    fn server() -> Folder {
        let main = "events {}\nhttp { include /etc/nginx/sites-enabled/*; }\n";
        let site =
            "server {\n  listen 80;\n  proxy_read_timeout 1s;\n  location / { proxy_pass http://127.0.0.1:81; }\n}\n";
        let folder = Folder::new(&[
            ("etc/nginx/nginx.conf", main),
            ("etc/nginx/sites-available/shop", site),
            ("etc/nginx/sites-enabled/default", ""),
            ("usr/share/doc/nginx.conf", WARNS),
            ("proc/nginx.conf", WARNS),
            ("home/kim/.cache/nginx.conf", WARNS),
        ]);
        symlink("/etc/nginx/sites-available/shop", folder.0.join("etc/nginx/sites-enabled/shop")).expect("a link");
        folder
    }

    #[test]
    fn a_server_is_read_inside_its_root() {
        let folder = server();
        let outside = Folder::new(&[("blog", WARNS)]);
        symlink(outside.0.join("blog"), folder.0.join("etc/nginx/sites-enabled/blog")).expect("a link");
        symlink("../../../../../../../../etc/nginx/mime.types", folder.0.join("etc/nginx/mime")).expect("a link");
        let document = folder.json(&["--root", "."]);
        let findings = document["findings"].as_array().cloned().unwrap_or_default();
        let places: Vec<_> = findings.iter().map(|it| (it["file"].as_str(), it["rule"].as_str())).collect();
        assert_eq!(places, [(Some("etc/nginx/sites-available/shop"), Some("timeout/too-low"))]);
        assert_eq!(document["routes"][0]["proxy"], "nginx on the host");
        let link = format!("a link to `{}/blog`, which is not in the folder that is checked", outside.0.display());
        assert_eq!(reason(&document, "etc/nginx/sites-enabled/blog"), link);
        let left_out: Vec<_> = document["left_out"].as_array().into_iter().flatten().map(|it| &it["path"]).collect();
        assert_eq!(left_out, ["home", "proc", "usr"]);
        let human = folder.run(&["--root", "."]).out;
        assert!(human.ends_with("not looked into: home (1 folder in it), proc, usr (1 folder in it)\n"), "{human}");
        let complaint = folder.run(&["check", "--root", "etc/nginx/nginx.conf"]).complaint().to_owned();
        assert_eq!(complaint, "`etc/nginx/nginx.conf` is no folder");
        let files: Vec<_> = document["files"].as_array().into_iter().flatten().map(|it| &it["path"]).collect();
        let shop = "etc/nginx/sites-available/shop";
        assert_eq!(files.iter().filter(|path| **path == shop).count(), 1, "{files:?}");
        assert!(!files.iter().any(|path| *path == "etc/nginx/sites-enabled/shop"), "{files:?}");
    }

    #[test]
    fn a_folder_without_a_known_main_file_is_a_server_when_that_is_said() {
        let folder = Folder::new(&[
            ("etc/hosts", ""),
            (
                "srv/shop/compose.yaml",
                "services:\n  web:\n    image: nginx:1.27\n    volumes: ['/srv/site.conf:/etc/nginx/conf.d/default.conf']\n",
            ),
            ("srv/site.conf", "server { listen 80; location / { proxy_pass http://127.0.0.1:81; } }\n"),
        ]);
        let outcome = |arguments: &[&str]| folder.json(arguments)["routes"][0]["proxy"].as_str().map(str::to_owned);
        assert_eq!(outcome(&["--root", "."]).as_deref(), Some("nginx in service `web`"));
        assert_eq!(outcome(&["."]).as_deref(), Some("nginx"));
    }

    /// The paths that the command opens or asks for, outside of what every program needs.
    fn touched(folder: &Folder, arguments: &[&str]) -> Option<Vec<String>> {
        let log = folder.0.with_extension("strace");
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=%file,%network,%process", "-o"]).arg(&log);
        command.arg(env!("CARGO_BIN_EXE_no502")).args(arguments).current_dir(&folder.0);
        let started = command.env_remove("LD_LIBRARY_PATH").stdin(std::process::Stdio::null()).output();
        let text = fs::read_to_string(&log).unwrap_or_default();
        let _ = fs::remove_file(&log);
        if started.is_err() || !text.contains("execve(") {
            eprintln!("skipped: strace is not there or may not trace");
            return None;
        }
        let calls = text.lines().filter(|line| !line.contains("ENOENT") && !line.contains("+++"));
        let calls: Vec<String> = calls.filter_map(call).collect();
        Some(calls)
    }

    /// Of a line of strace: the path that is touched, or the call when it has none.
    fn call(line: &str) -> Option<String> {
        let words = line.split_once(' ').map_or(line, |(_, words)| words.trim_start());
        let (name, rest) = words.split_once('(')?;
        if matches!(name, "clone" | "clone3" | "exit" | "exit_group" | "wait4") || words.starts_with('<') {
            return None;
        }
        Some(rest.split('"').nth(1).map_or_else(|| name.to_owned(), str::to_owned))
    }

    /// What the C library, the allocator and the count of processors look at, in every program.
    const EVERY_PROGRAM: &[&str] = &[
        "/etc/ld.so",
        "/lib",
        "/usr/lib",
        "/proc/self/maps",
        "/proc/self/cgroup",
        "/proc/sys/vm/overcommit_memory",
        "/sys/fs/cgroup/",
    ];

    #[test]
    fn nothing_outside_of_a_root_is_touched() {
        let folder = server();
        symlink("/etc/passwd", folder.0.join("etc/passwd")).expect("a link");
        symlink("/etc", folder.0.join("srv")).expect("a link");
        let root = folder.0.to_str().expect("a temporary folder has a plain name");
        let Some(touched) = touched(&folder, &["check", "--root", root, "--format", "json"]) else { return };
        let own = env!("CARGO_BIN_EXE_no502");
        let is_fine = |path: &&String| {
            // Of the folders above it, only whether they are links is asked.
            path.starts_with(root)
                || root.starts_with(path.as_str())
                || path.as_str() == own
                || EVERY_PROGRAM.iter().any(|known| path.starts_with(known))
        };
        assert!(touched.iter().any(|path| path.ends_with("sites-available/shop")), "{touched:?}");
        let strange: Vec<_> = touched.iter().filter(|path| !is_fine(path)).collect();
        assert!(strange.is_empty(), "{strange:?}");
        let is_asked = |path: &String| path.starts_with("/proc/net") || path == "socket" || path == "connect";
        assert!(!touched.iter().any(is_asked), "{touched:?}");
    }

    /// The command as a user who may read only what everybody may; the tests may run as one who may read all.
    fn as_nobody(folder: &Folder, arguments: &[&str]) -> Option<Answer> {
        let mut command = folder.command(arguments);
        if fs::read(folder.0.join("closed")).is_ok() {
            command.uid(65534).gid(65534);
        }
        match command.output() {
            Ok(output) => Some(Answer::of(output)),
            Err(error) => {
                eprintln!("skipped: nobody may not start the command: {error}");
                None
            }
        }
    }

    #[test]
    fn a_site_that_may_not_be_read_lowers_what_is_said() {
        let site =
            |port: u16| format!("server {{ listen {port}; location / {{ proxy_pass http://127.0.0.1:81; }} }}\n");
        let main = "events {}\nhttp { include /etc/nginx/sites-enabled/*; }\n";
        let folder = Folder::new(&[
            ("root/etc/nginx/nginx.conf", main),
            ("root/etc/nginx/sites-enabled/a", &site(80)),
            ("root/etc/nginx/sites-enabled/b", &site(8080)),
            ("root/home/kim/compose.yaml", ""),
            ("closed", ""),
        ]);
        let close = |name: &str, mode| {
            fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o755)).expect("it is ours");
        close("closed", 0o000);
        close("root/etc/nginx/sites-enabled/b", 0o000);
        close("root/home/kim", 0o000);
        let arguments = ["audit", "--root", "root", "--format", "json"];
        let audited = as_nobody(&folder, &arguments);
        let human = as_nobody(&folder, &["audit", "--root", "root", "--strict"]);
        close("root/home/kim", 0o755);
        let (Some(audited), Some(human)) = (audited, human) else { return };
        let document: serde_json::Value = serde_json::from_str(&audited.out).expect("it is JSON");
        assert_eq!(reason(&document, "root/etc/nginx/sites-enabled/b"), "permission denied");
        assert_eq!(reason(&document, "root/home/kim"), "permission denied");
        assert_eq!(document["routes"].as_array().map(Vec::len), Some(1), "{document}");
        assert_eq!(document["routes"][0]["outcome"], "undecided");
        let header = "1 site, 1 route to 1 backend; not all of its configuration could be read\n";
        assert!(human.out.contains(header) && human.status == Some(1), "{human:?}");
    }

    #[test]
    fn units_that_may_not_be_seen_lower_what_is_said() {
        let main = "events {}\nhttp { server { listen 80; location / { proxy_pass http://127.0.0.1:3001; } } }\n";
        let unit = "[Service]\nExecStart=/usr/bin/gunicorn -b 127.0.0.1:3000 shop:app\n[Install]\nWantedBy=multi-user.target\n";
        let folder = Folder::new(&[
            ("root/etc/nginx/nginx.conf", main),
            ("root/etc/systemd/system/shop.service", unit),
            ("root/etc/systemd/system/multi-user.target.wants/shop.service", unit),
            ("closed", ""),
        ]);
        let close = |name: &str, mode| {
            fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        close("", 0o755);
        close("closed", 0o000);
        let outcome = || {
            let answer = as_nobody(&folder, &["--root", "root", "--format", "json"])?;
            let document: serde_json::Value = serde_json::from_str(&answer.out).expect("it is JSON");
            Some(document["routes"][0]["outcome"].as_str().unwrap_or_default().to_owned())
        };
        let before = outcome();
        close("root/etc/systemd/system/multi-user.target.wants", 0o000);
        let after = outcome();
        close("root/etc/systemd/system/multi-user.target.wants", 0o755);
        let (Some(before), Some(after)) = (before, after) else { return };
        assert_eq!((before.as_str(), after.as_str()), ("refused", "undecided"));
    }

    #[test]
    fn what_may_not_be_read_is_told() {
        let folder = Folder::new(&[("compose.yaml", ""), ("nginx/a.conf", ""), ("nginx.conf", WARNS)]);
        let close = |name: &str, mode| {
            fs::set_permissions(folder.0.join(name), fs::Permissions::from_mode(mode)).expect("it is ours");
        };
        close("compose.yaml", 0o000);
        close("nginx", 0o000);
        if fs::read(folder.0.join("compose.yaml")).is_ok() {
            close("nginx", 0o755);
            eprintln!("skipped: this user may read everything");
            return;
        }
        let document = folder.json(&[]);
        close("nginx", 0o755);
        assert_eq!(reason(&document, "compose.yaml"), "permission denied");
        assert_eq!(reason(&document, "nginx"), "permission denied");
        assert_eq!(document["summary"]["warnings"], 1);
    }

    #[test]
    fn a_socket_is_no_file() {
        let folder = Folder::new(&[("nginx.conf", WARNS)]);
        let listener = UnixListener::bind(folder.0.join("app.conf")).expect("a socket in the folder");
        let document = folder.json(&[]);
        drop(listener);
        assert_eq!(reason(&document, "app.conf"), "a socket, pipe or device, not a file");
        assert_eq!(folder.run(&["app.conf"]).complaint(), "`app.conf` is neither a file nor a folder");
        assert_eq!(folder.run(&["/dev/null"]).complaint(), "`/dev/null` is neither a file nor a folder");
    }
}
