//! What a unit keeps its programs from: folders that they do not see, and those that they may not write to
//! (systemd.exec(5), "Sandboxing").

use crate::read::app::paths::absolute;
use crate::read::host::units::Unit;
use crate::read::host::words;
use crate::site::sockets::normal;
use crate::source::{Spanned, Text};

/// Homes, as `ProtectHome` means them.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];

/// Parts of the system that no strictness makes read-only.
const OF_THE_KERNEL: [&str; 3] = ["/dev", "/proc", "/sys"];

/// The folders of which the programs see nothing, or a fresh one.
pub fn hidden(unit: &Unit) -> Vec<Spanned<String>> {
    let mut hidden = Vec::new();
    if is_exempt(unit) {
        return hidden;
    }
    let homes = unit.value("Service", "ProtectHome");
    if let Some(setting) = homes.filter(|value| is_on(value) || *value == "tmpfs") {
        hidden.extend(HOMES.map(|folder| Spanned::new(folder.to_owned(), setting.whole())));
    }
    for folder in paths(unit, "InaccessiblePaths") {
        hidden.push(Spanned::new(normal(&folder.value), folder.span));
    }
    // What is let in again needs more than a glance.
    let is_open = ["BindPaths", "BindReadOnlyPaths", "ReadWritePaths", "ReadOnlyPaths"].iter().any(|key| {
        paths(unit, key).iter().any(|path| hidden.iter().any(|folder| is_below(&normal(&path.value), &folder.value)))
    });
    if is_open { Vec::new() } else { hidden }
}

/// What keeps the programs of a unit from the network.
pub struct Barrier {
    /// To be quoted.
    pub setting: Spanned<String>,
    pub kind: BarrierKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierKind {
    /// Its network is its own.
    Network,
    /// Packets to and from the loopback addresses are dropped.
    Addresses,
    /// Sockets of these kinds cannot be made.
    Families { internet: bool, unix: bool },
}

/// `PrivateNetwork=`, `IPAddressDeny=` without the loopback in `IPAddressAllow=` (systemd.resource-control(5)), and
/// `RestrictAddressFamilies=`.
pub fn barriers(unit: &Unit) -> Vec<Barrier> {
    let mut barriers = Vec::new();
    // Other units may be in the same network.
    let is_shared = unit.value("Unit", "JoinsNamespaceOf").is_some();
    if let Some(place) = unit.switched_on("Service", "PrivateNetwork").filter(|_| !is_shared) {
        let setting = Spanned::new("PrivateNetwork".to_owned(), place);
        barriers.push(Barrier { setting, kind: BarrierKind::Network });
    }
    let names_loopback = |word: &Spanned<String>| {
        matches!(word.value.as_str(), "any" | "localhost" | "0.0.0.0/0" | "::/0") || word.value.starts_with("127.")
    };
    let denied = unit.names("Service", "IPAddressDeny").into_iter().find(names_loopback);
    if let Some(denied) = denied.filter(|_| !unit.names("Service", "IPAddressAllow").iter().any(names_loopback)) {
        let setting = denied.map(|value| format!("IPAddressDeny={value}"));
        barriers.push(Barrier { setting, kind: BarrierKind::Addresses });
    }
    if let Some(kind) = families(unit).filter(|_| !is_exempt(unit))
        && let Some(value) = unit.value("Service", "RestrictAddressFamilies")
    {
        let setting = Spanned::new(format!("RestrictAddressFamilies={}", value.as_str()), value.whole());
        barriers.push(Barrier { setting, kind });
    }
    barriers
}

/// Lists of what is allowed add up; one that begins with `~` takes away. `None`: nothing is taken away.
fn families(unit: &Unit) -> Option<BarrierKind> {
    let words = unit.names("Service", "RestrictAddressFamilies");
    let words: Vec<&str> = words.iter().map(|word| word.value.as_str()).collect();
    let first = words.first()?;
    if *first == "none" {
        return Some(BarrierKind::Families { internet: false, unix: false });
    }
    let is_denied = first.starts_with('~');
    // Later lists may change the meaning of earlier ones.
    if words.iter().skip(1).any(|word| word.starts_with('~')) {
        return None;
    }
    let names = |wanted: &str| words.iter().any(|word| word.trim_start_matches('~') == wanted) != is_denied;
    let (internet, unix) = (names("AF_INET") || names("AF_INET6"), names("AF_UNIX"));
    (!internet || !unix).then_some(BarrierKind::Families { internet, unix })
}

/// Where the programs of a unit may not write.
#[derive(Default)]
pub struct Walls {
    /// Folders, and the settings that say so.
    read_only: Vec<(String, Spanned<String>)>,
    writable: Vec<String>,
}

impl Walls {
    pub fn of(unit: &Unit) -> Walls {
        let mut walls = Walls::default();
        // What is put over parts of the system is not followed.
        if is_exempt(unit)
            || ["BindPaths", "TemporaryFileSystem"].iter().any(|key| unit.value("Service", key).is_some())
        {
            return walls;
        }
        let mut close = |key: &str, value: &Text, folders: &[&str]| {
            let setting = Spanned::new(format!("{key}={}", value.as_str()), value.whole());
            walls.read_only.extend(folders.iter().map(|folder| ((*folder).to_owned(), setting.clone())));
        };
        if let Some(value) = unit.value("Service", "ProtectSystem") {
            let folders: &[&str] = match value.as_str() {
                "strict" => &["/"],
                "full" => &["/usr", "/boot", "/efi", "/etc"],
                _ if is_on(&value) => &["/usr", "/boot", "/efi"],
                _ => &[],
            };
            close("ProtectSystem", &value, folders);
        }
        if let Some(value) = unit.value("Service", "ProtectHome").filter(|value| *value == "read-only") {
            close("ProtectHome", &value, &HOMES);
        }
        for path in paths(unit, "ReadOnlyPaths") {
            let setting = Spanned::new(format!("ReadOnlyPaths={}", path.value), path.span);
            walls.read_only.push((normal(&path.value), setting));
        }
        for (key, base) in [
            ("RuntimeDirectory", "/run"),
            ("StateDirectory", "/var/lib"),
            ("CacheDirectory", "/var/cache"),
            ("LogsDirectory", "/var/log"),
            ("ConfigurationDirectory", "/etc"),
        ] {
            let names = unit.names("Service", key);
            // A name may be followed by that of a link to it.
            let folder = |name: &str| absolute(base, name.split(':').next().unwrap_or(name));
            walls.writable.extend(names.iter().map(|name| folder(&name.value)));
        }
        walls.writable.extend(paths(unit, "ReadWritePaths").iter().map(|path| normal(&path.value)));
        if unit.switched_on("Service", "PrivateTmp").is_some() || unit.switched_on("Service", "DynamicUser").is_some() {
            walls.writable.extend(["/tmp".to_owned(), "/var/tmp".to_owned()]);
        }
        walls.writable.extend(OF_THE_KERNEL.map(str::to_owned));
        walls
    }

    /// What keeps the programs from making anything in a folder; `/run` for `/var/run`.
    pub fn closes(&self, folder: &str) -> Option<Spanned<String>> {
        if self.writable.iter().any(|open| is_below(folder, open)) {
            return None;
        }
        let mut closed = self.read_only.iter().filter(|(closed, _)| is_below(folder, closed));
        closed.next().map(|(_, setting)| setting.clone())
    }
}

/// The paths of a setting, without the signs in front that say what is to happen when one is missing.
fn paths(unit: &Unit, key: &str) -> Vec<Spanned<String>> {
    let words = unit.values("Service", key).iter().flat_map(words::plain).collect::<Vec<Text>>();
    let plain = |word: &Text| Spanned::new(word.as_str().trim_start_matches(['-', '+']).to_owned(), word.whole());
    words.iter().map(plain).filter(|path| path.value.starts_with('/')).collect()
}

/// A command with `+` in front of it is not kept from anything.
fn is_exempt(unit: &Unit) -> bool {
    unit.values("Service", "ExecStart").iter().any(|command| {
        let rest = command.as_str().trim_start_matches(['-', '@', ':', '!', '|']);
        rest.starts_with('+')
    })
}

fn is_on(value: &Text) -> bool {
    ["yes", "true", "on", "1"].iter().any(|on| value.as_str().eq_ignore_ascii_case(on))
}

fn is_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::{Walls, hidden};
    use crate::read::host::server::Server;
    use crate::read::host::units::{self, Unit};
    use crate::source::Sources;

    fn with_unit<T>(settings: &str, ask: impl Fn(&Unit) -> T) -> T {
        let mut sources = Sources::default();
        sources.add("etc/systemd/system/app.service", format!("[Service]\nExecStart=/opt/app\n{settings}"));
        let server = Server::of(&sources, "");
        let unit = units::load(&server.files, &|path| server.find(path), "app.service");
        ask(&unit.expect("the unit was added"))
    }

    fn closed(settings: &str, folder: &str) -> Option<String> {
        with_unit(settings, |unit| Walls::of(unit).closes(folder).map(|setting| setting.value))
    }

    #[test]
    fn what_may_be_written() {
        let strict = "ProtectSystem=strict\n";
        assert_eq!(closed(strict, "/srv/app").as_deref(), Some("ProtectSystem=strict"));
        assert_eq!(closed(strict, "/tmp").as_deref(), Some("ProtectSystem=strict"));
        for more in ["ReadWritePaths=-/srv", "ExecStart=\nExecStart=+/opt/app", "BindPaths=/data:/srv/app"] {
            assert_eq!(closed(&format!("{strict}{more}\n"), "/srv/app"), None, "{more}");
        }
        assert_eq!(closed(&format!("{strict}PrivateTmp=yes\n"), "/tmp"), None);
        assert_eq!(closed(&format!("{strict}RuntimeDirectory=app:old\n"), "/run/app"), None);
        assert_eq!(closed("ProtectSystem=full\n", "/srv/app"), None);
        assert_eq!(closed("ReadOnlyPaths=/srv\n", "/srv/app").as_deref(), Some("ReadOnlyPaths=/srv"));
    }

    #[test]
    fn what_is_not_seen() {
        let folders = |settings: &str| {
            with_unit(settings, |unit| hidden(unit).into_iter().map(|it| it.value).collect::<Vec<String>>().join(" "))
        };
        assert_eq!(folders("ProtectHome=true\n"), "/home /root /run/user");
        assert_eq!(folders("ProtectHome=read-only\n"), "");
        assert_eq!(folders("InaccessiblePaths=-/srv/app /opt\n"), "/srv/app /opt");
        assert_eq!(folders("ProtectHome=tmpfs\nBindPaths=/home/kim\n"), "");
    }
}
