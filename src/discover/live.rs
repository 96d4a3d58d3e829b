//! The sockets that are open on this machine, as its kernel shows them. Only `--live` looks there.

use std::fs;

/// Where Linux shows them (`proc_net(5)`).
const TABLES: &[&str] = &["/proc/net/tcp", "/proc/net/tcp6", "/proc/net/unix"];

/// Each table with its path.
pub fn sockets() -> Result<Vec<(String, Vec<u8>)>, String> {
    let tables = TABLES.iter().filter_map(|path| Some(((*path).to_owned(), fs::read(path).ok()?)));
    let tables: Vec<_> = tables.collect();
    if tables.is_empty() {
        return Err("`--live` needs the tables of a Linux kernel below /proc/net, and they cannot be read".to_owned());
    }
    Ok(tables)
}
