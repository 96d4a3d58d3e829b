//! What nginx takes answers into, and whether it lets a connection serve more than one request.

use crate::read::catalogue;
use crate::read::catalogue::program::Mover;
use crate::read::nginx::duration::seconds;
use crate::read::nginx::load::Item;
use crate::read::nginx::scope::Scope;
use crate::site::proxy::{Buffers, Reuse, Setting, Wait};
use crate::source::Spanned;
use crate::syntax::nginx::{DirectiveRef, WordRef};

/// The first version that keeps connections to a group by itself: it speaks HTTP/1.1 and leaves the Connection header
/// out (nginx.org/en/CHANGES, 1.29.7).
pub const KEEPS_BY_ITSELF: (u32, u32, u32) = (1, 29, 7);

/// Pages of memory: 4 KiB on most machines, 8 KiB on some (nginx.org, `proxy_buffer_size`).
const PAGES: [u64; 2] = [4096, 8192];

/// Families whose answers are buffered the same way.
const BUFFERED: &[&str] = &["proxy_", "fastcgi_", "uwsgi_", "scgi_"];

/// Settings of these families.
pub const BUFFERS: [&str; 2] = ["buffer_size", "buffers"];

/// Whether the requests of a `proxy_pass` leave the connection open. `version` is that of nginx where it is known.
/// `connection`: the header of this name that they have.
pub fn reuse(
    scope: &Scope<'_, '_>,
    prefix: &str,
    version: Option<(u32, u32, u32)>,
    connection: Option<WordRef<'_>>,
) -> Reuse {
    if prefix != "proxy_" {
        return Reuse::Unknown;
    }
    let by_itself = version.map(|version| version >= KEEPS_BY_ITSELF);
    let closes = |why, place| Reuse::Refused { why, place };
    let http_version = scope.find("proxy_http_version").and_then(|item| item.argument(0));
    if let Some(word) = connection.filter(|word| word.value().eq_ignore_ascii_case("close")) {
        return closes("each request asks to close the connection", Some(word.span()));
    }
    match (http_version, by_itself) {
        (Some(word), _) if word.value() == "1.0" => {
            return closes("HTTP/1.0 closes the connection after each answer", Some(word.span()));
        }
        (None, Some(false)) if connection.is_none() => {
            return closes("`proxy_http_version 1.1` and `proxy_set_header Connection \"\"` are missing", None);
        }
        (None, Some(true)) | (Some(_), _) => {}
        (None, Some(false) | None) => return Reuse::Unknown,
    }
    match (connection, by_itself) {
        (Some(word), _) if word.value().is_empty() || word.value().eq_ignore_ascii_case("keep-alive") => Reuse::Asked,
        (None, Some(true)) => Reuse::Asked,
        (None, Some(false)) => closes("`proxy_set_header Connection \"\"` is missing", None),
        _ => Reuse::Unknown,
    }
}

/// The buffers that hold for a pass of this family which stands in `scope`.
pub fn buffers(scope: &Scope<'_, '_>, prefix: &'static str, stream: bool) -> Buffers {
    if stream || !BUFFERED.contains(&prefix) {
        return Buffers::default();
    }
    let setting = |rest| scope.find_setting(Setting { family: prefix, rest });
    let sizes = [setting("buffer_size"), setting("buffers"), setting("busy_buffers_size")];
    let word = |number: usize, argument| sizes[number]?.argument(argument);
    let one = |number| word(number, 0).and_then(|word| Some(Spanned::new(size(word)?, word.span())));
    let (header, busy) = (one(0), one(2));
    let body = word(1, 0).zip(word(1, 1)).and_then(|(count, bytes)| {
        let pair = (count.value().parse().ok()?, size(bytes)?);
        Some(Spanned::new(pair, count.span().to(bytes.span())))
    });
    // A value that cannot be read is not the default.
    let is_clear = |number, is_read| is_read || word(number, 0).is_none();
    let readable = is_clear(0, header.is_some()) && is_clear(1, body.is_some());
    let known = readable && is_clear(2, busy.is_some());
    let refused = if known { refused(prefix, header, body, busy) } else { None };
    let header_setting = Setting { family: prefix, rest: "buffer_size" };
    let misplaced = if header.is_none() && readable { misplaced(scope, prefix) } else { Vec::new() };
    let large_headers = if prefix == "fastcgi_" { large_headers(scope) } else { None };
    Buffers { header_setting, header, body, refused, misplaced, large_headers }
}

/// PHP finds the parameters of a request where its variables are, so what the catalogue says of these holds for them. The
/// configs that applications bring use the same names for variables of their own.
fn large_headers(scope: &Scope<'_, '_>) -> Option<Spanned<&'static str>> {
    let known = &catalogue::program(&["php-fpm"])?.value.large_headers;
    let parameters = scope.find_all("fastcgi_param");
    parameters.chain(scope.all("set")).find_map(|item| {
        let word = item.argument(0)?;
        let name = word.value();
        let name = name.trim_start_matches('$');
        let names =
            |mover: &Mover| mover.variable.as_deref().is_some_and(|names| names.split(' ').any(|it| it == name));
        let application = known.iter().find(|it| it.when.iter().any(names))?;
        Some(Spanned::new(application.why.as_str(), word.span()))
    })
}

/// Buffers of another family, beside the pass or in a block around it up to its `server`, where nothing else has a use for
/// them.
fn misplaced(scope: &Scope<'_, '_>, prefix: &'static str) -> Vec<(Spanned<String>, Setting)> {
    if BUFFERS.iter().all(|rest| scope.lacks(rest)) {
        return Vec::new();
    }
    let of_others = |name: &str, rest: &str| {
        BUFFERED.iter().find(|other| **other != prefix && name.strip_prefix(**other) == Some(rest))
    };
    let mut blocks: Vec<&Scope<'_, '_>> = vec![scope];
    let around: Vec<&Scope<'_, '_>> = scope.chain().skip(1).collect();
    let server = around.iter().position(|block| block.passes.is_some());
    blocks.extend(server.iter().flat_map(|at| &around[..=*at]).copied());
    let passes = scope.chain().find_map(|block| block.passes.as_deref()).unwrap_or_default();
    for rest in BUFFERS {
        let mut found = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            for item in block.simple() {
                if let Some(family) = of_others(&item.name, rest)
                    && !(number > 0 && passes.contains(family))
                {
                    let setting = Setting { family: prefix, rest };
                    found.push((Spanned::new(item.name.to_string(), item.name_span()), setting));
                }
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// Why nginx would not start with these sizes, whatever the size of a page is. The busy buffers are twice the larger one
/// of the header's and a single buffer when they are not written; they must hold that one, and must be less than all
/// buffers but one (measured on nginx 1.22 to 1.29).
fn refused(
    prefix: &str,
    header: Option<Spanned<u64>>,
    body: Option<Spanned<(u64, u64)>>,
    busy: Option<Spanned<u64>>,
) -> Option<Spanned<String>> {
    let place = header.map(|it| it.span).or(busy.map(|it| it.span)).or(body.map(|it| it.span))?;
    if let Some(body) = body.filter(|body| body.value.0 < 2) {
        return Some(Spanned::new(format!("`{prefix}buffers` must be at least 2"), body.span));
    }
    let mut reason = None;
    for page in PAGES {
        let header = header.map_or(page, |it| it.value);
        let (count, each) = body.map_or((8, page), |it| it.value);
        let largest = header.max(each);
        let asked = busy.map_or(largest.saturating_mul(2), |it| it.value);
        let room = count.saturating_sub(1).saturating_mul(each);
        if asked < largest {
            let place = busy.map_or(place, |it| it.span);
            let message = format!("`{prefix}busy_buffers_size` is smaller than a single buffer of {largest} bytes");
            reason = reason.or(Some(Spanned::new(message, place)));
        } else if asked > room {
            let message = format!(
                "`{prefix}busy_buffers_size` of {asked} bytes does not fit into `{prefix}buffers` less one, {room} bytes"
            );
            reason = reason.or(Some(Spanned::new(message, place)));
        } else {
            return None;
        }
    }
    reason
}

/// `worker_connections`, when it is written.
pub fn connections(top: &[Item<'_>]) -> Option<Spanned<u64>> {
    let events = top.iter().find(|item| item.is_block() && item.name == "events")?;
    events.children().find(|item| item.name() == "worker_connections").as_ref().and_then(number)
}

/// `worker_rlimit_nofile`: above it no worker opens a file or connection; nginx warns when there may be more of these, and
/// starts (nginx.org/en/docs/ngx_core_module.html).
pub fn files(top: &[Item<'_>]) -> Option<Spanned<u64>> {
    top.iter().find(|item| item.name == "worker_rlimit_nofile").and_then(|item| number(item))
}

fn number(item: &DirectiveRef<'_>) -> Option<Spanned<u64>> {
    let word = item.argument(0)?;
    Some(Spanned::new(word.value().parse::<u64>().ok()?, word.span()))
}

/// How long a server keeps an idle connection of a client, 75 s unless it is set; 0 closes each one after its answer
/// (nginx.org/en/docs/http/ngx_http_core_module.html, `keepalive_timeout`).
pub fn idle(scope: &Scope<'_, '_>) -> Option<Wait> {
    let setting = "keepalive_timeout";
    let Some(item) = scope.find(setting) else {
        return Some(Wait { seconds: 75.0, setting, written: None });
    };
    let word = item.argument(0)?;
    let seconds = seconds(&word.value()).filter(|seconds| *seconds > 0.0)?;
    Some(Wait { seconds, setting, written: Some(word.span()) })
}

/// The size of one buffer of `large_client_header_buffers`: no line of a request's header may be longer.
pub fn request_header(scope: &Scope<'_, '_>) -> Option<Spanned<u64>> {
    let word = scope.find("large_client_header_buffers")?.argument(1)?;
    Some(Spanned::new(size(word)?, word.span()))
}

/// Bytes of `4096`, `8k`, `1m` (nginx.org/en/docs/syntax.html).
fn size(word: WordRef<'_>) -> Option<u64> {
    let value = word.value();
    let (digits, unit) = match value.as_bytes().last()? {
        b'k' | b'K' => (&value[..value.len() - 1], 1 << 10),
        b'm' | b'M' => (&value[..value.len() - 1], 1 << 20),
        _ => (&*value, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}
