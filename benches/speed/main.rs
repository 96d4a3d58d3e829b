//! How fast and how large: `cargo bench`. The input is generated; `cargo bench -- --write FOLDER` leaves it in a folder,
//! so that other programs can be measured on the same files.

mod input;
mod server;

use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use mimalloc::MiMalloc;
use no502::discover::Snapshot;
use no502::judge::{self, Request};
use no502::lint;
use no502::source::{FileId, Sources, Text};
use no502::syntax::{nginx, yaml};

/// As in the program.
#[global_allocator]
static MEMORY: MiMalloc = MiMalloc;

const MEGABYTE: f64 = 1_000_000.0;

/// Each figure is the median of as many runs as fit into this time, three at least.
const PATIENCE: Duration = Duration::from_millis(1500);

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => measure(),
        ["--write", folder] => write(Path::new(folder)),
        ["--server", folder] => server::write(Path::new(folder)),
        // What a child process is started with: its peak memory is that of this one task.
        ["--memory", kind, count] => {
            let count = count.parse().expect("a number");
            // What it takes to make the input is given back with the thread that made it.
            let sources = thread::scope(|scope| scope.spawn(|| project(kind, count)).join()).expect("input");
            black_box(lint(&sources));
            println!("{} {}", sources.size(), peak_memory());
        }
        _ => println!("usage: cargo bench [-- --write FOLDER | --server FOLDER]"),
    }
}

fn measure() {
    parsing();
    tree();
    whole_server();
    growth("servers", &[10, 100, 1_000, 10_000, 100_000]);
    growth("services", &[10, 50, 500, 5_000]);
    memory("servers", &[100, 1_000, 10_000, 100_000]);
    memory("services", &[100, 1_000, 5_000]);
}

fn parsing() {
    println!("{:28}{:>10}{:>10}{:>10}", "parse", "MB", "ms", "MB/s");
    let sites = text(input::sites(0..430));
    speed("nginx", &sites, || drop(black_box(nginx::parse(&sites))));
    let compose = text(input::compose(0..1_050, &[]));
    speed("YAML", &compose, || drop(black_box(yaml::parse(&compose))));
}

fn speed(what: &str, text: &Text, run: impl FnMut()) {
    let (size, time) = (text.as_str().len() as f64 / MEGABYTE, median(run));
    println!("{what:28}{size:>10.2}{:>10.2}{:>10.1}", milliseconds(time), size / time.as_secs_f64());
}

fn tree() {
    let folder = env::temp_dir().join(format!("no502-speed-{}", std::process::id()));
    write(&folder);
    let size: usize = input::tree().iter().map(|(_, text)| text.len()).sum();
    println!("\n{:28}{:>10}{:>10}", "80 stacks, 200 files", "MB", "ms");
    let read = median(|| drop(black_box(Snapshot::of(&folder, None))));
    let snapshot = Snapshot::of(&folder, None).expect("it was written above");
    let judged = median(|| drop(black_box(lint(&snapshot.sources))));
    println!("{:28}{:>10.2}{:>10.2}", "read from disk", size as f64 / MEGABYTE, milliseconds(read));
    println!("{:28}{:>10.2}{:>10.2}", "lint", size as f64 / MEGABYTE, milliseconds(judged));
    fs::remove_dir_all(&folder).expect("it was written above");
    let outcome = lint(&snapshot.sources);
    println!("{} routes, {} findings", outcome.picture.outcomes().len(), outcome.findings.len());
}

/// From the first look at the disk to the last finding, with every round of reading.
fn whole_server() {
    let folder = env::temp_dir().join(format!("no502-server-{}", std::process::id()));
    server::write(&folder);
    println!("\n{:28}{:>10}", "2000 sites, 200 pools", "ms");
    let request = Request { is_server: true, ..Request::default() };
    let time = median(|| drop(black_box(judge::folder(&folder, request, lint))));
    println!("{:28}{:>10.2}", "read and judged", milliseconds(time));
    let (_, outcome) = judge::folder(&folder, request, lint).expect("it was written above");
    fs::remove_dir_all(&folder).expect("it was written above");
    println!(
        "{} routes, {} listeners, {} findings",
        outcome.picture.outcomes().len(),
        outcome.picture.described().listeners.len(),
        outcome.findings.len()
    );
}

/// The time for one unit must not depend on how many there are.
fn growth(kind: &str, counts: &[usize]) {
    println!("\n{:28}{:>10}{:>10}{:>10}", format!("lint, one file of n {kind}"), "MB", "ms", "us each");
    for count in counts {
        let sources = project(kind, *count);
        let size = sources.size();
        let time = median(|| drop(black_box(lint(&sources))));
        let each = time.as_secs_f64() * 1e6 / *count as f64;
        println!("{count:<28}{:>10.2}{:>10.2}{each:>10.2}", size as f64 / MEGABYTE, milliseconds(time));
    }
}

/// Of the whole process, texts included.
fn memory(kind: &str, counts: &[usize]) {
    println!("\n{:28}{:>10}{:>10}{:>14}", format!("memory, n {kind}"), "MB", "peak MB", "bytes a byte");
    let program = env::current_exe().expect("this program has a path");
    for count in counts {
        let child = Command::new(&program).args(["--memory", kind, &count.to_string()]).output();
        let output = String::from_utf8(child.expect("it starts again").stdout).unwrap_or_default();
        let mut numbers = output.split_whitespace().filter_map(|word| word.parse::<f64>().ok());
        let (Some(size), Some(peak)) = (numbers.next(), numbers.next()) else { continue };
        let (size, peak) = (size / MEGABYTE, peak / MEGABYTE);
        println!("{count:<28}{size:>10.2}{peak:>10.1}{:>14.1}", peak / size);
    }
}

/// One project: n servers in a config that nobody loads, or n services behind a proxy with a site for each.
fn project(kind: &str, count: usize) -> Sources {
    let mut sources = Sources::default();
    if kind == "servers" {
        sources.add("nginx.conf", format!("http {{\n{}}}\n", input::sites(0..count)));
        return sources;
    }
    let site = "sites.conf".to_owned();
    sources.add("compose.yaml", input::compose(0..count, std::slice::from_ref(&site)));
    sources.add("nginx/sites.conf", input::sites(0..count));
    sources
}

fn write(folder: &Path) {
    for (path, text) in input::tree() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder)).expect("a folder that can be written");
        fs::write(path, text).expect("a file that can be written");
    }
}

fn text(text: String) -> Text {
    Text::of_file(FileId(0), text)
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times = Vec::new();
    let began = Instant::now();
    while times.len() < 3 || (began.elapsed() < PATIENCE && times.len() < 501) {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// In bytes; 0 where the system does not say.
fn peak_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or(0) * 1024
}
