//! Tables of open sockets, as `ss`, `netstat` and the kernel's `/proc/net` print them. A line that is no listening socket is passed over.
//!
//! Columns: `ss(8)`, `netstat(8)`, `proc_net(5)`. Headers may be missing; each line is told by its own words.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::source::Text;

/// One socket that accepts connections.
#[derive(Clone, Debug)]
pub struct Row {
    pub address: Address,
    /// The program that holds it, where the table tells.
    pub program: Option<String>,
    /// The words of the line that name the address.
    pub text: Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `None`: every address of the machine.
    Tcp(Option<IpAddr>, u16),
    /// An absolute path.
    Unix(String),
    /// An abstract name or a path that is no absolute one: nobody can be sent there by a path.
    Nameless,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    pub rows: Vec<Row>,
    /// Lines of listening sockets whose address is not understood: a service's name in place of its number.
    pub unclear: Vec<Text>,
}

/// Reads a table. Takes time in proportion to its length.
pub fn parse(text: &Text) -> Table {
    let mut table = Table::default();
    let mut start = 0;
    let mut kernel = Kernel::No;
    for line in text.as_str().split_inclusive('\n') {
        let at = start;
        start += line.len();
        let words = words(line);
        let first = words.first().map_or("", |(_, word)| word);
        match (first, words.get(1).map_or("", |(_, word)| word)) {
            ("sl", "local_address") => kernel = Kernel::Tcp,
            ("Num", "RefCount") => kernel = Kernel::Unix,
            _ => {}
        }
        let found = match kernel {
            Kernel::Tcp => kernel_tcp(&words),
            Kernel::Unix => kernel_unix(&words),
            Kernel::No => printed(&words),
        };
        let Some(found) = found else { continue };
        let (first, last) = found.words;
        let end = words[last].0 + words[last].1.len();
        let place = text.slice(at + words[first].0..at + end);
        match found.address {
            Some(address) => table.rows.push(Row { address, program: found.program, text: place }),
            None => table.unclear.push(place),
        }
    }
    table
}

/// The notation of a line depends on the kernel's header above it.
#[derive(Clone, Copy)]
enum Kernel {
    No,
    Tcp,
    Unix,
}

struct Found {
    address: Option<Address>,
    program: Option<String>,
    /// First and last word of the address.
    words: (usize, usize),
}

/// The words of a line and where they begin.
fn words(line: &str) -> Vec<(usize, &str)> {
    let start = |word: &str| word.as_ptr() as usize - line.as_ptr() as usize;
    line.split_whitespace().map(|word| (start(word), word)).collect()
}

/// A line of `ss` or `netstat`.
fn printed(words: &[(usize, &str)]) -> Option<Found> {
    let state = words.iter().take(8).position(|(_, word)| matches!(*word, "LISTEN" | "LISTENING"))?;
    let word = |at: usize| words.get(at).map(|(_, word)| *word);
    let is_number = |at: usize| word(at).is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    if word(state) == Some("LISTENING") {
        return netstat_unix(words, state);
    }
    // netstat: protocol, two queues, the address, the other side, the state, the program.
    if state == 5 && word(0).is_some_and(|word| word.starts_with("tcp")) {
        let program =
            word(6).and_then(|word| word.split_once('/')).map(|(_, name)| name.trim_end_matches(':').to_owned());
        return Some(Found { address: tcp(word(3)?), program, words: (3, 3) });
    }
    // ss: perhaps a family, the state, two queues, the address, the other side, the users.
    if state > 1 || !is_number(state + 1) || !is_number(state + 2) {
        return None;
    }
    let family = if state == 1 { word(0)? } else { "" };
    let at = state + 3;
    let local = word(at)?;
    let program = words.iter().skip(at).find_map(|(_, word)| word.strip_prefix("users:((\""));
    let program = program.and_then(|rest| rest.split('"').next()).map(str::to_owned);
    // The path of a unix socket and its number are two words.
    let is_unix = family.starts_with("u_") || family.is_empty() && is_number(at + 1);
    let address = if is_unix {
        (!matches!(family, "u_dgr")).then(|| unix(local))
    } else if family.is_empty() || family.starts_with("tcp") {
        tcp(local)
    } else {
        return None;
    };
    Some(Found { address, program, words: (at, at) })
}

/// `unix 2 [ ACC ] STREAM LISTENING 20871 812/php-fpm: master /run/php.sock`: a program's name may hold spaces.
fn netstat_unix(words: &[(usize, &str)], state: usize) -> Option<Found> {
    if words.first()?.1 != "unix" {
        return None;
    }
    let behind = words.iter().enumerate().skip(state + 2);
    let (at, (_, path)) = behind.clone().find(|(_, (_, word))| word.starts_with(['/', '@']))?;
    let program = words.get(state + 2).filter(|_| at > state + 2).and_then(|(_, word)| word.split_once('/'));
    let program = program.map(|(_, name)| name.trim_end_matches(':').to_owned());
    Some(Found { address: Some(unix(path)), program, words: (at, at) })
}

/// `0: 0100007F:1F90 00000000:0000 0A …`: the state 0A is that of a listening socket.
fn kernel_tcp(words: &[(usize, &str)]) -> Option<Found> {
    if words.get(3)?.1 != "0A" {
        return None;
    }
    let (address, port) = words.get(1)?.1.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    // Each group of 32 bits is printed as this machine reads it: little end first, where it matters.
    let group = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::swap_bytes);
    let address: IpAddr = match address.len() {
        8 => Ipv4Addr::from(group(0)?).into(),
        32 => {
            let groups = [group(0)?, group(8)?, group(16)?, group(24)?];
            Ipv6Addr::from(groups.iter().fold(0_u128, |all, group| all << 32 | u128::from(*group))).into()
        }
        _ => return None,
    };
    Some(Found { address: Some(Address::Tcp(known(address), port)), program: None, words: (1, 1) })
}

/// `ffff…: 00000002 00000000 00010000 0001 01 20871 /run/php.sock`: the flag 10000 says that it accepts connections.
fn kernel_unix(words: &[(usize, &str)]) -> Option<Found> {
    if words.get(3)?.1 != "00010000" || words.get(4)?.1 != "0001" {
        return None;
    }
    let path = words.get(7)?.1;
    Some(Found { address: Some(unix(path)), program: None, words: (7, 7) })
}

fn unix(path: &str) -> Address {
    if path.starts_with('/') { Address::Unix(path.to_owned()) } else { Address::Nameless }
}

/// `0.0.0.0:80`, `[::]:80`, `:::80`, `*:80`, `127.0.0.53%lo:53`.
fn tcp(word: &str) -> Option<Address> {
    let (host, port) = word.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let host = host.split('%').next().unwrap_or(host).trim_matches(['[', ']']);
    if host == "*" {
        return Some(Address::Tcp(None, port));
    }
    Some(Address::Tcp(known(host.parse().ok()?), port))
}

/// The address, unless it stands for all of them; one of IPv4 in the form of IPv6 is one of IPv4.
fn known(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    (!address.is_unspecified()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::{Address, Table, parse};
    use crate::source::{FileId, Text};

    fn table(text: &str) -> Table {
        parse(&Text::of_file(FileId(0), text))
    }

    fn shown(text: &str) -> Vec<String> {
        let rows = table(text).rows.into_iter().map(|row| {
            let address = match row.address {
                Address::Tcp(address, port) => {
                    format!("{}:{port}", address.map_or("*".to_owned(), |address| address.to_string()))
                }
                Address::Unix(path) => path,
                Address::Nameless => "nameless".to_owned(),
            };
            format!("{address} {} [{}]", row.program.unwrap_or_default(), row.text)
        });
        rows.collect()
    }

    #[test]
    fn ss_with_and_without_families() {
        let tcp = "State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n\
                   LISTEN 0      511          0.0.0.0:80        0.0.0.0:*    users:((\"nginx\",pid=7,fd=6))\n\
                   LISTEN 0      128             [::]:22           [::]:*\n\
                   LISTEN 0      4096   127.0.0.53%lo:53        0.0.0.0:*\n\
                   LISTEN 0      511                *:3000            *:*    users:((\"node\",pid=9,fd=18))\n";
        let rows =
            ["*:80 nginx [0.0.0.0:80]", "*:22  [[::]:22]", "127.0.0.53:53  [127.0.0.53%lo:53]", "*:3000 node [*:3000]"];
        assert_eq!(shown(tcp), rows);
        let mixed = "udp   UNCONN 0 0 0.0.0.0:68 0.0.0.0:*\ntcp   LISTEN 0 511 [::1]:8000 [::]:*\n";
        assert_eq!(shown(mixed), ["::1:8000  [[::1]:8000]"]);
        let unix = "Netid State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n\
                    u_str LISTEN 0 4096 /run/php/shop.sock 24013 * 0 users:((\"php-fpm8.2\",pid=3,fd=8))\n\
                    u_str LISTEN 0 4096 @/tmp/x 24014 * 0\nu_seq LISTEN 0 4096 /run/udev/control 1 * 0\n";
        assert_eq!(
            shown(unix),
            [
                "/run/php/shop.sock php-fpm8.2 [/run/php/shop.sock]",
                "nameless  [@/tmp/x]",
                "/run/udev/control  [/run/udev/control]"
            ]
        );
        let named = table("LISTEN 0 511 localhost:http 0.0.0.0:*\n");
        assert_eq!((named.rows.len(), named.unclear.len()), (0, 1));
    }

    #[test]
    fn netstat_and_the_kernel() {
        let netstat = "Proto Recv-Q Send-Q Local Address Foreign Address State PID/Program name\n\
                       tcp   0 0 127.0.0.1:9000 0.0.0.0:* LISTEN 812/php-fpm: master\n\
                       tcp6  0 0 :::8080 :::* LISTEN -\n\
                       tcp   0 0 10.0.0.5:22 10.0.0.9:5000 ESTABLISHED 1/sshd\n\
                       unix  2 [ ACC ] STREAM LISTENING 208 812/php-fpm: master /run/shop.sock\n";
        assert_eq!(
            shown(netstat),
            ["127.0.0.1:9000 php-fpm [127.0.0.1:9000]", "*:8080  [:::8080]", "/run/shop.sock php-fpm [/run/shop.sock]"]
        );
        let kernel = "  sl  local_address rem_address   st tx_queue rx_queue\n\
                      0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n\
                      1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000\n";
        assert_eq!(shown(kernel), ["127.0.0.1:8080  [0100007F:1F90]"]);
        let six = "  sl  local_address st\n0: 00000000000000000000000001000000:0050 0:0 0A\n\
                   1: 0000000000000000FFFF00000100007F:0051 0:0 0A\n";
        assert_eq!(
            shown(six),
            [
                "::1:80  [00000000000000000000000001000000:0050]",
                "127.0.0.1:81  [0000000000000000FFFF00000100007F:0051]"
            ]
        );
        let unix = "Num       RefCount Protocol Flags    Type St Inode Path\n\
                    ffff: 00000002 00000000 00010000 0001 01 208 /run/shop.sock\n\
                    ffff: 00000003 00000000 00000000 0001 03 209 /run/shop.sock\n";
        assert_eq!(shown(unix), ["/run/shop.sock  [/run/shop.sock]"]);
    }

    #[test]
    fn anything_else_is_passed_over() {
        assert!(
            shown("LISTEN\nLISTEN 0\nLISTEN 0 1\ntcp LISTEN\nunix LISTENING 1\n\n[ LISTENING ]\nLISTEN 0 1 x\n")
                .is_empty()
        );
        assert!(shown("  sl  local_address\n0: 01:1 0 0A\n1: zzzzzzzz:0050 0 0A\n2: éééé:0050 0 0A\n").is_empty());
    }
}
