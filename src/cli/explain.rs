//! The rules as pages and as a table.

use std::io::{self, BufWriter, Write};

use super::Failure;
use super::selection::{covers, unknown};
use crate::rules::{self, Rule};

/// Prints the page of a rule, or the table of a family.
pub fn explain(word: &str) -> Result<u8, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    if let Some(rule) = rules::ALL.iter().find(|rule| rule.id == word) {
        write_page(&mut out, rule.doc)?;
    } else {
        let family: Vec<_> = rules::ALL.iter().filter(|rule| covers(word, rule.id)).collect();
        if family.is_empty() {
            return Err(Failure::Sentence(unknown(word)));
        }
        write_table(&mut out, &family)?;
    }
    out.flush()?;
    Ok(0)
}

/// Prints all rules.
pub fn rules() -> Result<u8, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    write_table(&mut out, &rules::ALL.iter().collect::<Vec<_>>())?;
    out.flush()?;
    Ok(0)
}

fn write_table(out: &mut dyn Write, rules: &[&Rule]) -> io::Result<()> {
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let id_width = widest(&mut rules.iter().map(|rule| rule.id));
    let level_width = widest(&mut rules.iter().map(|rule| levels(rule.doc)));
    let gap = if level_width > 0 { "  " } else { "" };
    for rule in rules {
        let (levels, summary) = (levels(rule.doc), rule.summary().replace('\n', " "));
        writeln!(out, "{:id_width$}  {levels:level_width$}{gap}{}", rule.id, first_sentence(&summary))?;
    }
    Ok(())
}

/// What the line `Level: …` of a page says.
fn levels(page: &'static str) -> &'static str {
    page.lines().find_map(|line| line.strip_prefix("Level:")).map_or("", str::trim)
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// A page without the marks that only matter where it is rendered: examples are indented, headings stand alone.
fn write_page(out: &mut dyn Write, page: &str) -> io::Result<()> {
    let mut is_example = false;
    for line in page.lines() {
        if let Some(head) = line.trim_start().strip_prefix("```") {
            is_example = !is_example;
            // Behind the notation stands the name of the file.
            if let Some((_, file)) = head.split_once(' ') {
                writeln!(out, "  {file}")?;
            }
        } else if is_example {
            writeln!(out, "{}", format!("    {line}").trim_end())?;
        } else {
            writeln!(out, "{}", without_links(line.trim_start_matches('#').trim_start_matches(' ')))?;
        }
    }
    Ok(())
}

/// `[words](address)` becomes `words (address)`.
fn without_links(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(middle) = rest.find("](") {
        let (before, after) = (&rest[..middle], &rest[middle + 2..]);
        let (Some(open), Some(close)) = (before.rfind('['), after.find(')')) else { break };
        text.push_str(&before[..open]);
        text.push_str(&format!("{} ({})", &before[open + 1..], &after[..close]));
        rest = &after[close + 1..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::{first_sentence, levels, without_links, write_page};

    #[test]
    fn a_page_becomes_plain() {
        let page = "# target/x\n\nFinds x. Not y.\n\nLevel: error\n\n## Bad\n```nginx a.conf\nlisten 80;\n```\nSee [the book](https://book.example).\n";
        let mut bytes = Vec::new();
        write_page(&mut bytes, page).expect("memory takes everything");
        let plain = "target/x\n\nFinds x. Not y.\n\nLevel: error\n\nBad\n  a.conf\n    listen 80;\nSee the book (https://book.example).\n";
        assert_eq!(String::from_utf8_lossy(&bytes), plain);
        assert_eq!(levels(page), "error");
        assert_eq!(first_sentence("Finds x. Not y."), "Finds x.");
        assert_eq!(without_links("a](b"), "a](b");
    }
}
