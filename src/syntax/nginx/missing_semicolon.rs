//! Finds a `;` that is missing at the end of a line: nginx reads `listen 80` and `root /srv` in the next line as one
//! directive, and blames the arguments.

use std::ops::Range;

use memchr::memchr;

use crate::syntax::nginx::{Kind, Word};

/// How many arguments a directive has at most, as far as whole lines go: a last word such as `always` or `if_not_empty`
/// may stand in a line of its own. The numbers are those of nginx's modules.
const LIMITS: [(usize, &[&str]); 3] = [
    (0, &["internal", "ip_hash", "least_conn"]),
    (
        1,
        &[
            "alias",
            "client_body_buffer_size",
            "client_max_body_size",
            "daemon",
            "default_type",
            "fastcgi_index",
            "fastcgi_pass",
            "fastcgi_read_timeout",
            "grpc_pass",
            "gzip",
            "http2",
            "include",
            "pid",
            "proxy_buffering",
            "proxy_cache",
            "proxy_connect_timeout",
            "proxy_http_version",
            "proxy_pass",
            "proxy_read_timeout",
            "proxy_send_timeout",
            "resolver_timeout",
            "root",
            "scgi_pass",
            "sendfile",
            "server_tokens",
            "ssl_certificate",
            "ssl_certificate_key",
            "ssl_dhparam",
            "ssl_trusted_certificate",
            "ssl_verify_client",
            "tcp_nodelay",
            "tcp_nopush",
            "uwsgi_pass",
            "worker_connections",
            "worker_processes",
        ],
    ),
    (2, &["add_header", "fastcgi_param", "proxy_set_header", "scgi_param", "set", "sub_filter", "uwsgi_param"]),
];

/// Directives with any number of arguments, none of which begins a line with a name of [`NAMES`] or [`FAMILIES`] and
/// has another one behind it. (`gzip` would, in `access_log`.)
const OPEN: [&str; 11] = [
    "access_log",
    "client_body_temp_path",
    "error_log",
    "index",
    "keepalive_timeout",
    "listen",
    "return",
    "server",
    "server_name",
    "ssl_session_cache",
    "try_files",
];

const NAMES: [&str; 24] = [
    "access_log",
    "add_header",
    "alias",
    "daemon",
    "default_type",
    "error_log",
    "error_page",
    "expires",
    "http2",
    "include",
    "index",
    "keepalive",
    "keepalive_timeout",
    "listen",
    "location",
    "resolver",
    "return",
    "rewrite",
    "root",
    "sendfile",
    "server_name",
    "server_tokens",
    "try_files",
    "worker_connections",
];

/// How names of directives begin, and hardly anything else.
const FAMILIES: [&str; 9] = ["client_", "fastcgi_", "grpc_", "gzip_", "limit_", "proxy_", "scgi_", "ssl_", "uwsgi_"];

/// Blocks of entries, in which any word may begin a line.
const RAW_BLOCKS: [&str; 6] = ["charset_map", "geo", "map", "match", "split_clients", "types"];

/// Blocks that are recognised as an argument of whatever stands before them, when the statement ends with `{`.
const BLOCKS: [&str; 6] = ["events", "http", "if", "location", "server", "upstream"];

/// The first word of a statement that begins another one; `first` is its name, `block` the name of the block around it.
pub fn find(source: &str, words: &[Word], first: usize, kind: Kind, block: Option<&str>) -> Option<usize> {
    let [name, .., last] = words.get(first..)? else { return None };
    memchr(b'\n', &source.as_bytes()[name.range().start..last.range().start])?;
    if block.is_some_and(|block| RAW_BLOCKS.contains(&block)) {
        return None;
    }
    let own = &source[name.range()];
    let limit = LIMITS.iter().find(|(_, names)| names.contains(&own)).map(|(limit, _)| *limit);
    let is_open = OPEN.contains(&own);
    (first + 1..words.len()).find(|index| {
        let range = words[*index].range();
        if !begins_line(source, words[*index - 1].range().end..range.start) {
            return false;
        }
        let word = &source[range.clone()];
        // `location = /path` is the longest of these heads.
        let heads_block = kind == Kind::Block && index + 3 >= words.len() && BLOCKS.contains(&word);
        let arguments = index - first - 1;
        if heads_block && arguments > 0 {
            return true;
        }
        let exceeds = limit.is_some_and(|limit| arguments >= limit);
        let is_next = is_open && arguments > 0 && (word == own || is_name(word));
        (exceeds || is_next) && shares_line(source, range.end, words.get(index + 1))
    })
}

fn is_name(word: &str) -> bool {
    let plain = word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    NAMES.contains(&word) || plain && FAMILIES.iter().any(|family| word.starts_with(family))
}

/// A directive has an argument, as a rule; a host called `index` in a list of names has a line of its own.
fn shares_line(source: &str, end: usize, behind: Option<&Word>) -> bool {
    behind.is_some_and(|behind| memchr(b'\n', &source.as_bytes()[end..behind.range().start]).is_none())
}

/// Between two words stand blanks and comments only, so that a line break makes the second one the first of its line.
fn begins_line(source: &str, between: Range<usize>) -> bool {
    memchr(b'\n', &source.as_bytes()[between]).is_some()
}
