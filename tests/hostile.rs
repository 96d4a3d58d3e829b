//! Files that are broken on purpose: each is told in clear words, none takes long, and the file beside it still counts.
//! What the disk itself can do to us (links, permissions, sizes) is in `cli.rs`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A group without a server that is asked: an error that rests on nothing but this file.
const BESIDE: &str = "upstream nobody { server unix:/run/nobody.sock down; }\nserver { listen 80; location / { proxy_pass http://nobody; } }\n";

/// Far more than is needed, also on a busy machine and without optimisation: what fails here is not slow but endless.
const PATIENCE: Duration = Duration::from_secs(60);

const MANY: usize = 100_000;

/// Checks a folder with these files and [`BESIDE`]; gives the whole report. It fails when a complaint about the file
/// beside is missing, when the command breaks, or when it does not end.
fn check(files: &[(&str, &[u8])]) -> Value {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("no502-hostile-{}-{number}", std::process::id()));
    for (name, bytes) in files.iter().chain(&[("beside/nginx.conf", BESIDE.as_bytes())]) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("a folder in the folder");
        fs::write(path, bytes).expect("a file in the folder");
    }
    let document = run(&folder);
    fs::remove_dir_all(&folder).expect("it was made above");
    let findings = document["findings"].as_array().expect("a list of findings");
    let is_beside = |finding: &&Value| finding["file"] == "beside/nginx.conf";
    assert_eq!(findings.iter().filter(is_beside).count(), 1, "the file beside counts: {}", short(&document));
    document
}

fn run(folder: &PathBuf) -> Value {
    let report = folder.join("report");
    let mut child = Command::new(env!("CARGO_BIN_EXE_no502"))
        .args(["check", "--format", "json"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(fs::File::create(&report).expect("a file in the folder"))
        .spawn()
        .expect("the command starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the command can be waited for") {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().expect("it is ours");
            panic!("no answer within {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(5));
    };
    let text = fs::read_to_string(&report).expect("reports are UTF-8");
    assert_eq!(status.code(), Some(1), "{}", text.get(..2000).unwrap_or(&text));
    serde_json::from_str(&text).expect("the report is JSON")
}

/// What is said about one file: the messages of its findings, and why it was not read.
fn said(document: &Value, path: &str) -> String {
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let findings = list("findings").into_iter().filter(|finding| finding["file"] == path);
    let messages = findings.map(|finding| finding["message"].as_str().unwrap_or("").to_owned());
    let files = list("files").into_iter().filter(|file| file["path"] == path);
    let reasons = files.map(|file| file["reason"].as_str().unwrap_or("").to_owned());
    messages.chain(reasons).collect::<Vec<_>>().join("\n")
}

fn short(document: &Value) -> String {
    document.to_string().chars().take(2000).collect()
}

/// The words that must be among what is said about a single file.
fn told(path: &str, bytes: impl AsRef<[u8]>, words: &str) {
    let document = check(&[(path, bytes.as_ref())]);
    let said = said(&document, path);
    assert!(said.contains(words), "{path}: `{words}` is not in: {}", said.chars().take(500).collect::<String>());
}

/// Nothing has to be said about it; it must end, and the file beside must count.
fn endured(files: &[(&str, String)]) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    check(&files);
}

/// A compose file with one service, which has these lines in addition.
fn service(lines: &str) -> String {
    format!("services:\n  web:\n    image: nginx:1.28\n{lines}\n")
}

#[test]
fn deep_blocks() {
    told("nginx.conf", "a {\n".repeat(MANY), "never closed");
    told("nginx.conf", "server {".to_owned() + &"}".repeat(MANY), "unexpected `}`");
    endured(&[("nginx.conf", "location /a {".repeat(MANY) + &"}".repeat(MANY))]);
}

#[test]
fn deep_lists() {
    told("compose.yaml", service(&format!("    ports: {}", "[".repeat(MANY))), "deep");
    told("compose.yaml", service(&format!("    ports: {}", "{a: ".repeat(MANY))), "deep");
    told("compose.yaml", service(&format!("    ports:\n      {}x", "- ".repeat(MANY))), "deep");
}

#[test]
fn deep_words() {
    let nested = "${A:-".repeat(MANY) + &"}".repeat(MANY);
    endured(&[("compose.yaml", service(&format!("    command: \"{nested}\"")))]);
    endured(&[("compose.yaml", service(&format!("    command: sh -c '{}'", "$(".repeat(MANY))))]);
    endured(&[("compose.yaml", service(&format!("    command: \"{}\"", "sh -c ".repeat(MANY))))]);
    let node = "services:\n  web:\n    image: node:22\n    working_dir: /srv\n    command: node server.js\n    volumes: [\".:/srv\"]\n";
    for open in ["(", "[", "{", "((x) => ", "x ? ", "!", "`${", "a.b("] {
        endured(&[
            ("compose.yaml", node.to_owned()),
            ("server.js", format!("require('http').listen({}", open.repeat(MANY))),
        ]);
    }
    endured(&[("package.json", "[".repeat(MANY)), ("compose.yaml", node.replace("node server.js", "npm start"))]);
}

#[test]
fn bombs_of_aliases() {
    let mut bomb = "x-a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..40 {
        let above = level - 1;
        bomb += &format!("x-a{level}: &a{level} [{}]\n", vec![format!("*a{above}"); 9].join(", "));
    }
    endured(&[(
        "compose.yaml",
        format!("{bomb}{}", service("    command: *a39\n    ports: *a39\n    environment: *a39")),
    )]);
    let mut merges = "x-m0: &m0 {A: b}\n".to_owned();
    for level in 1..40 {
        let above = level - 1;
        merges +=
            &format!("x-m{level}: &m{level} {{<<: [{}], K{level}: v}}\n", vec![format!("*m{above}"); 9].join(", "));
    }
    endured(&[("compose.yaml", format!("{merges}{}", service("    environment: *m39")))]);
    let services: String = (0..2000).map(|number| format!("  s{number}: *big\n")).collect();
    let keys: String = (0..2000).map(|number| format!("    K{number}: v\n")).collect();
    endured(&[("compose.yaml", format!("x-big: &big\n  image: nginx\n  environment:\n{keys}services:\n{services}"))]);
}

#[test]
fn what_is_never_closed() {
    told("nginx.conf", "server {\n    listen \"80;\n}\n".to_owned() + &"a b;\n".repeat(MANY), "never closed");
    told("nginx.conf", "a \"\n".repeat(MANY), "missing `;`");
    told("nginx.conf", "content_by_lua_block {\n".to_owned() + &"x = [==[ ".repeat(MANY), "closed");
    endured(&[("nginx.conf", "content_by_lua_block { x = [".to_owned() + &"=".repeat(MANY))]);
    told("compose.yaml", service("    command: \"never closed\n"), "quote");
    endured(&[("compose.yaml", service(&"    command: 'x\n".repeat(MANY)))]);
    let image = service("    build: .").replace("    image: nginx:1.28\n", "");
    let open = "FROM nginx\nRUN <<END\n".to_owned() + &"echo x\n".repeat(MANY);
    endured(&[("compose.yaml", image.clone()), ("Dockerfile", open)]);
    let many = "FROM nginx\n".to_owned() + &"COPY <<END /etc/nginx/conf.d/x.conf\n".repeat(10_000);
    endured(&[("compose.yaml", image.clone()), ("Dockerfile", many)]);
    endured(&[("compose.yaml", image), ("Dockerfile", "FROM nginx\nRUN ".to_owned() + &"a \\\n".repeat(MANY))]);
    endured(&[("compose.yaml", service("    env_file: .env")), (".env", "A=\"x\n".repeat(MANY))]);
}

#[test]
fn odd_bytes() {
    told("nginx.conf", "\u{feff}server { listen 80; }\n", "byte order mark");
    endured(&[("nginx.conf", BESIDE.replace('\n', "\r\n"))]);
    endured(&[("compose.yaml", format!("\u{feff}{}", service("    ports: [\"80:80\"]")).replace('\n', "\r\n"))]);
    told("nginx.conf", b"# caf\xE9\nserver { listen 80; }\n", "not UTF-8");
    told("compose.yaml", service("    command: \"a\0b\""), "");
    endured(&[("nginx.conf", "server { listen \0; server_name \0\0; }\0".repeat(1000))]);
    endured(&[("nginx.conf", "server { listen 80; } # ".to_owned() + &"é".repeat(5_000_000))]);
    endured(&[("compose.yaml", "\t".repeat(MANY)), (".env", "=".repeat(MANY)), ("Dockerfile", "\\".repeat(MANY))]);
    endured(&[("php-fpm.d/www.conf", "[".repeat(MANY)), ("supervisord.conf", "=\n".repeat(MANY))]);
}

#[test]
fn circles() {
    endured(&[
        ("nginx.conf", "http { include nginx.conf; include *.conf; }".to_owned()),
        ("a.conf", "include nginx.conf;".to_owned()),
    ]);
    let extends = "services:\n  a:\n    extends: b\n  b:\n    extends: {service: a, file: compose.yaml}\n";
    endured(&[("compose.yaml", extends.to_owned())]);
    endured(&[
        ("compose.yaml", "include: [compose.yaml, other.yaml]\nservices: {}\n".to_owned()),
        ("other.yaml", "include: [compose.yaml]\n".to_owned()),
    ]);
    endured(&[("compose.yaml", "services:\n  a:\n    image: nginx\n    network_mode: service:b\n    depends_on: [b]\n  b:\n    image: nginx\n    network_mode: service:a\n    depends_on: [a]\n".to_owned())]);
    endured(&[("compose.yaml", "x: &x\n  <<: *x\n  y: *x\nservices:\n  a: *x\n".to_owned())]);
    endured(&[
        ("Dockerfile", "FROM b AS a\nFROM a AS b\nFROM a AS a\n".to_owned()),
        ("compose.yaml", "services: {a: {build: .}}\n".to_owned()),
    ]);
    endured(&[
        ("compose.yaml", service("    command: sh run.sh\n    volumes: [\".:/srv\"]\n    working_dir: /srv")),
        ("run.sh", "exec sh run.sh\n".to_owned()),
    ]);
}

#[test]
fn values_that_grow() {
    let mut doubled = "server { listen 80; set $a0 xx;\n".to_owned();
    let mut mapped = "http {\nmap $host $m0 { default a; x b; y c; }\n".to_owned();
    for level in 1..60 {
        let above = level - 1;
        doubled += &format!("set $a{level} $a{above}$a{above};\n");
        mapped += &format!("map $host $m{level} {{ default $m{above}$m{above}; x $m{above}; y b$m{above}; }}\n");
    }
    endured(&[("nginx.conf", doubled + "location / { proxy_pass http://$a59; } }\n")]);
    endured(&[("nginx.conf", mapped + "server { listen 80; location / { proxy_pass http://$m59; } } }\n")]);
    endured(&[(
        "nginx.conf",
        "server { listen 80; set $a $b; set $b $a; location / { proxy_pass http://$a; } }\n".to_owned(),
    )]);
    let ports = vec!["\"1-65535:1-65535\""; 50].join(", ");
    endured(&[("compose.yaml", service(&format!("    ports: [{ports}]\n    expose: [\"1-65535\"]")))]);
    let servers: String = (0..20_000).map(|number| format!("server app{number}:80;\n")).collect();
    let routes: String =
        (0..2_000).map(|number| format!("location /{number}/ {{ proxy_pass http://all; }}\n")).collect();
    endured(&[("nginx.conf", format!("upstream all {{\n{servers}}}\nserver {{ listen 80;\n{routes}}}\n"))]);
}
