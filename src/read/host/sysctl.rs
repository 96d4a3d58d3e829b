//! What the kernel of a server is told: sysctl.d(5).

use std::collections::BTreeMap;

use crate::read::host::server::Server;
use crate::site::machine::LongestQueue;
use crate::source::Text;

/// Where settings lie, the strongest folder first: of two files with the same name only the stronger one counts.
const FOLDERS: [&str; 4] = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"];

/// How many connections the kernel lets wait for a listener, when that is written: files are read in the order of their
/// names, and `/etc/sysctl.conf` last.
pub fn longest_queue(server: &Server<'_>) -> Option<LongestQueue> {
    let mut files: BTreeMap<String, &str> = BTreeMap::new();
    for folder in FOLDERS {
        for name in server.list(folder).names {
            if name.ends_with(".conf") {
                files.entry(name).or_insert(folder);
            }
        }
    }
    let paths = files.iter().map(|(name, folder)| format!("{folder}/{name}"));
    let paths = paths.chain(["/etc/sysctl.conf".to_owned()]);
    paths.filter_map(|path| in_file(&server.text(&path)?)).last()
}

/// `net.core.somaxconn = 1024`, also with slashes for dots; the last line counts.
fn in_file(text: &Text) -> Option<LongestQueue> {
    let (mut found, mut start) = (None, 0);
    for line in text.as_str().split_inclusive('\n') {
        let line_text = text.slice(start..start + line.len()).trim();
        start += line.len();
        let Some((key, value)) = line_text.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if key.as_str().trim_start_matches('-').replace('/', ".") != "net.core.somaxconn" {
            continue;
        }
        found = value.as_str().parse().ok().map(|length| LongestQueue { length, written: Some(value.whole()) });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::in_file;
    use crate::source::Sources;

    #[test]
    fn the_last_line_counts() {
        let mut sources = Sources::default();
        let text = "# net.core.somaxconn = 1\nnet.core.somaxconn=128\nvm.swappiness = 10\n-net/core/somaxconn = 512 \n";
        let file = sources.add("etc/sysctl.conf", text);
        let found = in_file(&sources.text(file)).expect("it is written");
        assert_eq!(found.length, 512);
        assert_eq!(found.written.map(|place| sources.quote(place)), Some("512"));
    }
}
