//! The short form of mounts: `./conf:/etc/nginx:ro`.

use std::ops::Range;

use crate::source::Text;
use crate::syntax::compose_values::{LONGEST, Refusal, Rule, parse};

/// A short mount. What compose ignores (`z`, `cached`) is left out.
#[derive(Clone, Debug)]
pub struct ShortVolume {
    pub source: Source,
    /// The path in the container.
    pub target: Text,
    pub read_only: bool,
}

#[derive(Clone, Debug)]
pub enum Source {
    /// A path of the host, as it is written.
    Bind(Text),
    Volume(Text),
    Anonymous,
}

/// Takes a mount apart as compose-go's `format.ParseVolume` does.
pub fn short_volume(text: &Text) -> Result<ShortVolume, Refusal> {
    let value = text.as_str();
    if value.is_empty() {
        return Err(Refusal::new(text.whole(), "an empty mount"));
    }
    if value.chars().count() <= 2 {
        return Ok(ShortVolume { source: Source::Anonymous, target: text.clone(), read_only: false });
    }
    let refused = || Refusal::new(text.whole(), format!("`{text}` is no mount: write `source:/path/in/the/container`"));
    let Parts { first, second, options } = match plain(value) {
        Some(parts) => parts,
        None => parts(text).ok_or_else(refused)?,
    };
    let last = options.split(',').rfind(|option| matches!(*option, "ro" | "rw"));
    let (source, target) = match second {
        None => (Source::Anonymous, text.slice(first)),
        Some(target) if is_path(&value[first.clone()]) => (Source::Bind(text.slice(first)), text.slice(target)),
        Some(target) => (Source::Volume(text.slice(first)), text.slice(target)),
    };
    Ok(ShortVolume { source, target, read_only: last == Some("ro") })
}

/// The parts between the colons, as ranges of the value.
struct Parts<'v> {
    first: Range<usize>,
    second: Option<Range<usize>>,
    options: &'v str,
}

/// The parts of a mount in which no part is so short that it may be a drive.
fn plain(value: &str) -> Option<Parts<'_>> {
    let mut parts = value.split(':');
    let (first, second, options, more) = (parts.next()?, parts.next(), parts.next(), parts.next());
    let may_be_drive = |part: &str| part.chars().nth(1).is_none();
    if may_be_drive(first) || second.is_some_and(may_be_drive) || more.is_some() || value.len() > LONGEST {
        return None;
    }
    let start = first.len() + 1;
    let second = second.map(|second| start..start + second.len());
    Some(Parts { first: 0..first.len(), second, options: options.unwrap_or("") })
}

fn parts(text: &Text) -> Option<Parts<'_>> {
    let mut sections = Vec::new();
    let mut options = "";
    for pair in parse(Rule::volume, text)? {
        match pair.as_rule() {
            Rule::section => sections.push(pair.as_span().start()..pair.as_span().end()),
            Rule::options => options = pair.as_str(),
            _ => {}
        }
    }
    let mut sections = sections.into_iter();
    Some(Parts { first: sections.next()?, second: sections.next(), options })
}

/// A path of the host, and no name of a volume.
pub fn is_path(source: &str) -> bool {
    let mut letters = source.chars();
    let drive = letters.next().is_some_and(char::is_alphabetic) && letters.next() == Some(':');
    source.starts_with(['.', '/', '~']) || source.starts_with("\\\\") || drive
}

#[cfg(test)]
mod tests {
    use super::{Source, short_volume};
    use crate::source::Sources;

    fn shown(value: &str) -> Option<String> {
        let mut sources = Sources::default();
        let file = sources.add("value", value);
        let volume = short_volume(&sources.text(file)).ok()?;
        let source = match volume.source {
            Source::Bind(path) => format!("bind {path}"),
            Source::Volume(name) => format!("volume {name}"),
            Source::Anonymous => "anonymous".to_owned(),
        };
        Some(format!("{source} -> {}{}", volume.target, if volume.read_only { " ro" } else { "" }))
    }

    #[test]
    fn forms() {
        assert_eq!(shown("/data").unwrap(), "anonymous -> /data");
        assert_eq!(shown("data:/data").unwrap(), "volume data -> /data");
        assert_eq!(shown("./data:/data:ro,z").unwrap(), "bind ./data -> /data ro");
        assert_eq!(shown("~/data:/data:rw").unwrap(), "bind ~/data -> /data");
        assert_eq!(shown("C:\\data:/data").unwrap(), "bind C:\\data -> /data");
        assert_eq!(shown("n:/data").unwrap(), "anonymous -> n:/data");
        assert_eq!(shown("/a:/b:/c").unwrap(), "bind /a -> /b");
        for wrong in ["", ":/data", "/data:", "data:/a:ro:rw"] {
            assert_eq!(shown(wrong), None, "{wrong}");
        }
    }
}
