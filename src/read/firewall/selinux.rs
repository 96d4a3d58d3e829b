//! SELinux: whether it keeps web servers from connecting to arbitrary ports and sockets (httpd_selinux(8)).

use crate::read::snapshot::Tree as Snapshot;
use crate::read::surroundings::Found;
use crate::site::firewall::Confinement;
use crate::source::{Entry, Sources, Span, Text};

/// The switch that lets web servers connect to any port.
const SWITCH: &str = "httpd_can_network_connect";

/// Ports that the policy calls `http_port_t`; web servers reach them by other switches that are on in many releases.
const PORTS: &[u16] = &[80, 81, 443, 488, 8008, 8009, 8443, 9000];

/// What the system loads at its start, and what it was told besides the policy that comes with it.
pub fn read(sources: &Sources, root: &str) -> Option<Confinement> {
    let at = |path: &str| if root.is_empty() { path.to_owned() } else { format!("{root}/{path}") };
    let snapshot = Snapshot { sources, root: Some(root) };
    let find = |path: &str| match snapshot.find(path) {
        Found::File(text) => Some(text),
        _ => None,
    };
    let place = enforcing(&find(&at("etc/selinux/config"))?)?;
    find(&at("etc/nginx/nginx.conf"))?;
    let mut ports = PORTS.to_vec();
    let mut folders = Vec::new();
    for (path, entry) in sources.below(&at("etc/selinux")).chain(sources.below(&at("var/lib/selinux"))) {
        if !matches!(entry, Entry::File(_)) {
            continue;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        // A module that somebody made allows what nobody can tell from here.
        if [".pp", ".cil", ".te"].iter().any(|ending| name.ends_with(ending)) || path.contains("/modules/400/") {
            return None;
        }
        if !name.ends_with(".local") {
            continue;
        }
        let text = find(path)?;
        ports.extend(local_ports(&text));
        folders.extend(text.as_str().lines().filter_map(|line| line.split(['(', ' ', '\t']).next()).map(str::to_owned));
    }
    // A script, a playbook or a note of the tree: whoever writes the name of the switch knows of it.
    let is_switched = |text: &str| {
        text.lines().any(|line| {
            let off = ["=0", "=off", " off", " 0"].iter().any(|off| line.trim_end().ends_with(off));
            line.contains(SWITCH) && !line.trim_start().starts_with('#') && !off
        })
    };
    if sources.files().any(|(_, file)| is_switched(&file.text)) {
        return None;
    }
    Some(Confinement { place, ports, folders, switch: SWITCH })
}

/// `SELINUX=enforcing`
fn enforcing(text: &Text) -> Option<Span> {
    let mut start = 0;
    let mut found = None;
    for line in text.as_str().split_inclusive('\n') {
        let from = start;
        start += line.len();
        if let Some(value) = line.trim().strip_prefix("SELINUX=") {
            found = (value.trim() == "enforcing").then(|| text.span(from..from + line.trim_end().len()));
        }
    }
    found
}

/// `portcon tcp 8081 system_u:object_r:http_port_t:s0`
fn local_ports(text: &Text) -> Vec<u16> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "tcp");
        words.next()?;
        words.next()?.parse().ok()
    };
    text.as_str().lines().filter(|line| line.contains("http")).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::source::Sources;

    fn confined(booleans: &str, script: &str) -> bool {
        let mut sources = Sources::default();
        sources.add("etc/nginx/nginx.conf", "events {}");
        sources.add("etc/selinux/config", "# SELINUX=disabled\nSELINUX=enforcing\n");
        sources.add("etc/selinux/targeted/active/booleans.local", booleans);
        sources.add("setup.sh", script);
        read(&sources, "").is_some()
    }

    #[test]
    fn the_switch_may_stand_anywhere() {
        assert!(confined("httpd_enable_homedirs=1\n", ""));
        assert!(confined("httpd_can_network_connect=0\n", "# setsebool httpd_can_network_connect 1\n"));
        assert!(!confined("httpd_can_network_connect=1\n", ""));
        assert!(!confined("", "setsebool -P httpd_can_network_connect on\n"));
    }
}
