//! Files of `[section]` and `key = value`: php-fpm pools, uwsgi, supervisord, systemd units.

use crate::source::{Spanned, Text, TextBuilder};
use crate::syntax::Problem;

#[derive(Clone, Debug, Default)]
pub struct Ini {
    /// The first one has no name and holds the keys before any header; it is always there. A section that is opened
    /// twice stands here twice.
    pub sections: Vec<Section>,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
pub struct Section {
    pub name: Spanned<String>,
    /// In the order of the file; a repeated key stands here repeatedly.
    pub entries: Vec<(Spanned<String>, Text)>,
}

/// Which of the dialects a file is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// What begins a comment at the start of a line.
    pub comments: &'static [char],
    pub inline_comments: InlineComments,
    pub continuation: Continuation,
    /// Quotes around a whole value are no part of it.
    pub unquote: bool,
    /// A key may stand without `=`; its value is empty.
    pub bare_keys: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InlineComments {
    None,
    /// At one of the comment characters, outside of quotes.
    Anywhere,
    /// At one of the comment characters behind a blank.
    AfterBlank,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuation {
    None,
    /// A backslash at the end of a line; it becomes a blank, and comments in between are left out (systemd.syntax(7)).
    Backslash,
    /// A line that begins with a blank continues the value before (Python's configparser).
    Indentation,
}

impl Style {
    /// Pools and php.ini.
    pub const PHP: Style = Style {
        comments: &[';'],
        inline_comments: InlineComments::Anywhere,
        continuation: Continuation::None,
        unquote: true,
        bare_keys: true,
    };
    pub const UWSGI: Style = Style {
        comments: &[';', '#'],
        inline_comments: InlineComments::None,
        continuation: Continuation::Backslash,
        unquote: false,
        bare_keys: true,
    };
    pub const SUPERVISOR: Style = Style {
        comments: &[';', '#'],
        inline_comments: InlineComments::AfterBlank,
        continuation: Continuation::Indentation,
        unquote: false,
        bare_keys: false,
    };
    pub const SYSTEMD: Style = Style {
        comments: &[';', '#'],
        inline_comments: InlineComments::None,
        continuation: Continuation::Backslash,
        unquote: false,
        bare_keys: false,
    };
}

/// Reads a whole file.
pub fn parse(text: &Text, style: Style) -> Ini {
    let source = text.as_str();
    let nameless = Section { name: Spanned::new(String::new(), text.span(0..0)), entries: Vec::new() };
    let mut ini = Ini { sections: vec![nameless], problems: Vec::new() };
    let mut lines = Lines { source, at: if source.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } };
    // The value that an indented line would continue.
    let mut open: Option<TextBuilder> = None;
    while let Some((start, line)) = lines.next() {
        let trimmed = line.trim();
        if trimmed.starts_with(style.comments) {
            continue;
        }
        let indented = line.starts_with([' ', '\t']);
        if let (Continuation::Indentation, true, false, Some(builder)) =
            (style.continuation, indented, trimmed.is_empty(), open.as_mut())
        {
            let from = start + (line.len() - line.trim_start().len());
            let kept = value_of(&source[from..start + line.len()], style);
            builder.push_fixed("\n", text.span(start..from));
            builder.push(text, from..from + kept.len());
            continue;
        }
        close(&mut ini, open.take(), style);
        if trimmed.is_empty() {
            continue;
        }
        let from = start + (line.len() - line.trim_start().len());
        if let Some(header) = trimmed.strip_prefix('[') {
            header_line(text, from, header, &mut ini);
            continue;
        }
        open = entry(text, from, start + line.len(), &mut lines, style, &mut ini);
    }
    close(&mut ini, open.take(), style);
    ini
}

struct Lines<'s> {
    source: &'s str,
    at: usize,
}

impl<'s> Lines<'s> {
    /// The next line, without its end, and where it begins.
    fn next(&mut self) -> Option<(usize, &'s str)> {
        let start = self.at;
        if start >= self.source.len() {
            return None;
        }
        let rest = &self.source[start..];
        let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        self.at = start + length + 1;
        Some((start, rest[..length].trim_end_matches('\r')))
    }
}

fn header_line(text: &Text, start: usize, header: &str, ini: &mut Ini) {
    let name = header.split(']').next().unwrap_or("");
    if name.len() == header.len() {
        let span = text.span(start..start + 1 + header.len());
        ini.problems.push(Problem { span, message: "this section header is never closed".to_owned(), related: None });
    }
    let name = Spanned::new(name.trim().to_owned(), text.span(start + 1..start + 1 + name.len()));
    ini.sections.push(Section { name, entries: Vec::new() });
}

/// Adds the key with an empty value; the value is given back, for more lines may follow.
fn entry(text: &Text, start: usize, end: usize, lines: &mut Lines, style: Style, ini: &mut Ini) -> Option<TextBuilder> {
    let line = &text.as_str()[start..end];
    let separator = match style.continuation {
        Continuation::Indentation => line.find(['=', ':']),
        _ => line.find('='),
    };
    let key = line[..separator.unwrap_or(line.len())].trim_end();
    if key.is_empty() || (separator.is_none() && !style.bare_keys) {
        let span = text.span(start..start + line.trim_end().len());
        ini.problems.push(Problem { span, message: "this line is no `key = value`".to_owned(), related: None });
        return None;
    }
    let key = if separator.is_none() { value_of(key, style) } else { key };
    let place = text.span(start..start + key.len());
    let mut builder = TextBuilder::default();
    let mut from = separator.map_or(end, |separator| start + separator + 1);
    from = end - text.as_str()[from..end].trim_start().len();
    let mut value = value_of(&text.as_str()[from..end], style);
    let value_place = text.span(from..from + value.len());
    while let (Continuation::Backslash, Some(kept)) = (style.continuation, value.strip_suffix('\\')) {
        builder.push(text, from..from + kept.len());
        builder.push_fixed(" ", text.span(from + kept.len()..from + value.len()));
        value = "";
        let Some((next, line)) = next_continued(lines, style) else { break };
        from = next;
        value = line;
    }
    builder.push(text, from..from + value.len());
    if let Some(section) = ini.sections.last_mut() {
        section.entries.push((Spanned::new(key.to_owned(), place), Text::fixed("", value_place)));
    }
    Some(builder)
}

fn next_continued<'s>(lines: &mut Lines<'s>, style: Style) -> Option<(usize, &'s str)> {
    loop {
        let (start, line) = lines.next()?;
        if !line.trim_start().starts_with(style.comments) {
            return Some((start, line.trim_end()));
        }
    }
}

fn close(ini: &mut Ini, value: Option<TextBuilder>, style: Style) {
    let entry = ini.sections.last_mut().and_then(|section| section.entries.last_mut());
    let (Some(builder), Some((_, text))) = (value, entry) else { return };
    let value = builder.finish(text.whole()).trim();
    let quote = value.as_str().chars().next().filter(|first| matches!(first, '"' | '\''));
    let length = value.as_str().len();
    *text = match quote {
        Some(quote) if style.unquote && length >= 2 && value.as_str().ends_with(quote) => value.slice(1..length - 1),
        _ => value,
    };
}

/// A value without the comment behind it.
fn value_of(value: &str, style: Style) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in value.char_indices() {
        let comment = style.comments.contains(&letter);
        match style.inline_comments {
            InlineComments::None => break,
            InlineComments::Anywhere if quote.is_none() && comment => return value[..at].trim_end(),
            InlineComments::Anywhere if quote == Some(letter) => quote = None,
            InlineComments::Anywhere if quote.is_none() && letter == '"' => quote = Some(letter),
            InlineComments::AfterBlank if comment && before.is_whitespace() => return value[..at].trim_end(),
            _ => {}
        }
        before = letter;
    }
    value.trim_end()
}

#[cfg(test)]
mod tests {
    use super::{Ini, Style, parse};
    use crate::source::Sources;

    fn read(source: &str, style: Style) -> (Sources, Ini) {
        let mut sources = Sources::default();
        let file = sources.add("conf", source);
        let text = sources.text(file);
        (sources, parse(&text, style))
    }

    fn shown(source: &str, style: Style) -> Vec<String> {
        let (sources, ini) = read(source, style);
        let entries = ini.sections.iter().flat_map(|section| {
            section.entries.iter().map(|(key, value)| {
                assert_eq!(sources.quote(key.span), key.value);
                format!("{}/{}={}", section.name.value, key.value, value.as_str())
            })
        });
        entries.collect()
    }

    #[test]
    fn a_pool() {
        let source = "a = 1\n[www]\n; listen = 1\nlisten = 127.0.0.1:9000 ; here\r\nenv[PATH] = \"/x;y\"\n[two]\nlisten=/run/x.sock\n";
        assert_eq!(
            shown(source, Style::PHP),
            ["/a=1", "www/listen=127.0.0.1:9000", "www/env[PATH]=/x;y", "two/listen=/run/x.sock",]
        );
        let (sources, ini) = read(source, Style::PHP);
        assert_eq!(sources.quote(ini.sections[1].entries[0].1.span(10..14)), "9000");
        assert_eq!(sources.quote(ini.sections[2].name.span), "two");
    }

    #[test]
    fn a_unit() {
        let source =
            "[Service]\nEnvironment=A=1 B=2\nExecStart=\nExecStart=/bin/app --port \\\n# why\n  80 ; no comment\n";
        assert_eq!(
            shown(source, Style::SYSTEMD),
            [
                "Service/Environment=A=1 B=2",
                "Service/ExecStart=",
                "Service/ExecStart=/bin/app --port    80 ; no comment",
            ]
        );
        let (sources, ini) = read(source, Style::SYSTEMD);
        assert_eq!(sources.quote(ini.sections[1].entries[2].1.span(19..21)), "80");
    }

    #[test]
    fn a_supervisor_file() {
        let source = "[program:web]\ncommand=web --port 80 ; why\nenvironment=A=\"1\",\n  # not this\n  B=\"2\"\nautostart : true\n[half\nnonsense\n";
        assert_eq!(
            shown(source, Style::SUPERVISOR),
            [
                "program:web/command=web --port 80",
                "program:web/environment=A=\"1\",\nB=\"2\"",
                "program:web/autostart=true",
            ]
        );
        assert_eq!(read(source, Style::SUPERVISOR).1.problems.len(), 2);
    }

    #[test]
    fn a_uwsgi_file() {
        let source = "[uwsgi]\n# no\nhttp-socket = :8000\nmaster\nroute = ^/a;b c#d\n";
        assert_eq!(shown(source, Style::UWSGI), ["uwsgi/http-socket=:8000", "uwsgi/master=", "uwsgi/route=^/a;b c#d"]);
    }

    #[test]
    fn nothing_breaks_it() {
        let source = "\u{feff}a=é\\\n\\\n#\n b\n[c]d\ne : \"f;\n  g\r\n= h\n[i";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            for style in [Style::PHP, Style::UWSGI, Style::SUPERVISOR, Style::SYSTEMD] {
                read(&source[..end], style);
            }
        }
    }
}
