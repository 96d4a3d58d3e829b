//! One line a finding, for editors, scripts and tests: `path:line:column: level: message [rule]`. What explains it follows, indented.

use std::io::{self, Write};

use super::{Checked, in_order, printable};

pub fn write(out: &mut dyn Write, checked: &[Checked]) -> io::Result<()> {
    for place in in_order(checked) {
        let finding = place.finding;
        let (path, line, column) = place.checked.start(finding.span);
        let (path, message) = (printable(&path), printable(&finding.message));
        writeln!(out, "{path}:{line}:{column}: {}: {message} [{}]", finding.level.name(), finding.rule)?;
        for note in &finding.notes {
            let (path, line, column) = place.checked.start(note.span);
            writeln!(out, "  {}:{line}:{column}: {}", printable(&path), printable(&note.message))?;
        }
        if let Some(help) = &finding.help {
            writeln!(out, "  help: {}", printable(help))?;
        }
    }
    Ok(())
}

/// The same as a text.
pub fn text(checked: &[Checked]) -> String {
    let mut bytes = Vec::new();
    let written = write(&mut bytes, checked);
    debug_assert!(written.is_ok(), "memory does not refuse bytes");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::text;
    use crate::report::tests::two_files;

    #[test]
    fn a_line_and_its_notes() {
        let expected = "\
deploy/web.conf:2:21: error: `api` does not listen on port 3000 [target/port-mismatch]
  deploy/compose.yaml:4:21: `api` listens on 8000
  help: use `api:8000`
";
        assert_eq!(text(&[two_files()]), expected);
    }
}
