//! Finds a `;` that is missing at the end of a line: nginx reads `listen 80` and `root /srv` in the next line as one
//! directive, and blames the arguments.

use std::ops::Range;

use memchr::memchr;

use crate::syntax::nginx::{Kind, Word};

/// Directives that can have no argument from [`NAMES`] at the start of a further line, once they have one argument.
const ENDED_BY_ONE_ARGUMENT: [&str; 24] = [
    "access_log",
    "alias",
    "client_max_body_size",
    "error_log",
    "fastcgi_index",
    "fastcgi_pass",
    "gzip",
    "include",
    "index",
    "keepalive_timeout",
    "listen",
    "pid",
    "proxy_connect_timeout",
    "proxy_http_version",
    "proxy_pass",
    "proxy_read_timeout",
    "return",
    "root",
    "sendfile",
    "server_name",
    "ssl_certificate",
    "ssl_certificate_key",
    "user",
    "worker_processes",
];

/// Directives that can have none once they have two.
const ENDED_BY_TWO_ARGUMENTS: [&str; 6] =
    ["add_header", "fastcgi_param", "proxy_set_header", "set", "try_files", "uwsgi_param"];

/// What begins a line as the name of a directive and never as an argument of the above.
const NAMES: [&str; 34] = [
    "access_log",
    "add_header",
    "alias",
    "client_max_body_size",
    "error_log",
    "error_page",
    "events",
    "fastcgi_index",
    "fastcgi_param",
    "fastcgi_pass",
    "gzip",
    "http",
    "include",
    "index",
    "keepalive_timeout",
    "listen",
    "location",
    "proxy_connect_timeout",
    "proxy_http_version",
    "proxy_pass",
    "proxy_read_timeout",
    "proxy_set_header",
    "return",
    "rewrite",
    "root",
    "sendfile",
    "server",
    "server_name",
    "ssl_certificate",
    "ssl_certificate_key",
    "try_files",
    "upstream",
    "uwsgi_pass",
    "worker_connections",
];

/// Blocks of entries, in which any word may begin a line.
const RAW_BLOCKS: [&str; 6] = ["charset_map", "geo", "map", "match", "split_clients", "types"];

/// Blocks that are recognised as an argument of whatever stands before them, when the statement ends with `{`.
const BLOCKS: [&str; 4] = ["if", "location", "server", "upstream"];

/// The first word of a statement that begins another one; `first` is its name, `block` the name of the block around it.
pub fn find(source: &str, words: &[Word], first: usize, kind: Kind, block: Option<&str>) -> Option<usize> {
    let [name, .., last] = words.get(first..)? else { return None };
    memchr(b'\n', &source.as_bytes()[name.range().start..last.range().start])?;
    if block.is_some_and(|block| RAW_BLOCKS.contains(&block)) {
        return None;
    }
    let own = &source[name.range()];
    let needed = if ENDED_BY_ONE_ARGUMENT.contains(&own) {
        Some(1)
    } else if ENDED_BY_TWO_ARGUMENTS.contains(&own) {
        Some(2)
    } else {
        None
    };
    (first + 2..words.len()).find(|index| {
        let range = words[*index].range();
        if !begins_line(source, words[*index - 1].range().end..range.start) {
            return false;
        }
        let word = &source[range];
        let exceeds = needed.is_some_and(|needed| *index > first + needed);
        // `location = /path` is the longest of these heads.
        let heads_block = kind == Kind::Block && index + 3 >= words.len() && BLOCKS.contains(&word);
        heads_block || exceeds && NAMES.contains(&word)
    })
}

/// Between two words stand blanks and comments only, so that a line break makes the second one the first of its line.
fn begins_line(source: &str, between: Range<usize>) -> bool {
    memchr(b'\n', &source.as_bytes()[between]).is_some()
}
