//! Puts variables into the strings of a compose file: `$A`, `${A:-default}`, `$$`.

use std::ops::Range;

use pest::Parser;
use pest::iterators::{Pair, Pairs};

use crate::source::{Lookup, Span, Spanned, Text, TextBuilder};
use crate::syntax::Problem;
use crate::syntax::compose_values::{Grammar, LONGEST, Rule};

/// A string with its variables put in.
#[derive(Clone, Debug)]
pub struct Interpolated {
    pub text: Text,
    /// Variables that are set nowhere, without a default that stands in for them.
    pub missing: Vec<Missing>,
    /// Something in the string is not known: it is left out of the text.
    pub incomplete: bool,
    pub problems: Vec<Problem>,
}

/// A variable that is not set. Compose puts nothing in its place, or stops when it is required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub name: Spanned<String>,
    /// From the dollar to the closing brace.
    pub span: Span,
    /// `?` or `:?`: compose does not start without it. The message that was written behind it.
    pub required: Option<String>,
}

/// There may be variables in the string.
pub fn has_variables(text: &str) -> bool {
    memchr::memchr(b'$', text.as_bytes()).is_some()
}

/// Reads the string as compose-go's `template` does. Of a string without `$` nothing is copied.
pub fn interpolate(text: &Text, lookup: &dyn Fn(&str) -> Lookup) -> Interpolated {
    let mut result = Interpolated { text: text.clone(), missing: Vec::new(), incomplete: false, problems: Vec::new() };
    if !has_variables(text.as_str()) {
        return result;
    }
    let source = Some(text.as_str()).filter(|source| source.len() <= LONGEST * 16);
    let mut builder = TextBuilder::default();
    if let Some(variables) = source.and_then(plain) {
        let mut from = 0;
        for variable in variables {
            builder.push(text, from..variable.range.start);
            from = variable.range.end;
            result.variable(variable, text, lookup, &mut builder);
        }
        builder.push(text, from..text.as_str().len());
        result.text = builder.finish(text.whole());
        return result;
    }
    let parsed = source.and_then(|source| Grammar::parse(Rule::interpolation, source).ok());
    let Some(pairs) = parsed.and_then(|mut pairs| pairs.next()).map(Pair::into_inner) else {
        // Only the depth of the recursion can be refused.
        result.incomplete = true;
        result.problem(text.whole(), "the variables in this value are nested too deep".to_owned());
        return result;
    };
    result.pieces(pairs, text, lookup, &mut builder);
    result.text = builder.finish(text.whole());
    result
}

struct Variable<'t> {
    /// From the dollar to behind the closing brace.
    range: Range<usize>,
    name: Range<usize>,
    operator: &'t str,
    word: Option<Word<'t>>,
}

/// What stands behind the operator.
enum Word<'t> {
    Plain(Range<usize>),
    Parsed(Pair<'t, Rule>),
}

const OPERATORS: &[&str] = &[":-", "-", ":?", "?", ":+", "+"];

/// The variables of a string in which all are written `${A}` or `${A:-b}`, none inside of another: that takes no grammar.
fn plain(source: &str) -> Option<Vec<Variable<'_>>> {
    let mut variables = Vec::new();
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'$', &source.as_bytes()[from..]) {
        let start = from + at;
        let inside = source[start..].strip_prefix("${")?;
        let end = inside.find(['}', '$']).filter(|end| inside[*end..].starts_with('}'))?;
        let length = inside.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length == 0 || inside.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let name = start + 2..start + 2 + length;
        let close = start + 2 + end;
        let operator = match &inside[length..end] {
            "" => "",
            behind => OPERATORS.iter().find(|operator| behind.starts_with(**operator))?,
        };
        let word = (!operator.is_empty()).then(|| Word::Plain(name.end + operator.len()..close));
        from = close + 1;
        variables.push(Variable { range: start..from, name, operator, word });
    }
    Some(variables)
}

impl Interpolated {
    fn pieces(
        &mut self,
        pairs: Pairs<'_, Rule>,
        text: &Text,
        lookup: &dyn Fn(&str) -> Lookup,
        builder: &mut TextBuilder,
    ) {
        for pair in pairs {
            let range = pair.as_span().start()..pair.as_span().end();
            match pair.as_rule() {
                Rule::text | Rule::word_text | Rule::stray => builder.push(text, range),
                Rule::escaped => builder.push_fixed("$", text.span(range)),
                Rule::named | Rule::braced => {
                    let mut inner = pair.into_inner();
                    let Some(name) = inner.next() else { continue };
                    let operator = inner.next().map_or("", |operator| operator.as_str());
                    let word = inner.next().map(Word::Parsed);
                    let name = name.as_span().start()..name.as_span().end();
                    self.variable(Variable { range, name, operator, word }, text, lookup, builder);
                }
                Rule::broken => {
                    let end = range.start + text.as_str()[range.clone()].find('}').map_or(range.len(), |at| at + 1);
                    let span = text.span(range.start..end);
                    let message = format!(
                        "`{}` is no variable that compose can read: a literal `$` is written `$$`",
                        &text.as_str()[range.start..end]
                    );
                    self.incomplete = true;
                    self.problem(span, message);
                    builder.push(text, range);
                }
                _ => {}
            }
        }
    }

    fn variable(
        &mut self,
        variable: Variable<'_>,
        text: &Text,
        lookup: &dyn Fn(&str) -> Lookup,
        builder: &mut TextBuilder,
    ) {
        let Variable { range, name, operator, word } = variable;
        let span = text.span(range);
        let missing = |required| Missing { name: text.slice(name.clone()).spanned(), span, required };
        let value = lookup(&text.as_str()[name.clone()]);
        let empty_counts_as_unset = operator.starts_with(':');
        let set = match &value {
            Lookup::Value(value) => !(empty_counts_as_unset && value.as_str().is_empty()),
            Lookup::Unset => false,
            Lookup::Unknown => {
                self.incomplete = true;
                false
            }
        };
        match (operator.trim_start_matches(':'), word) {
            ("+", Some(word)) if set => self.word(word, text, lookup, builder),
            ("+", _) => {}
            ("-", Some(word)) if !set => self.word(word, text, lookup, builder),
            ("?", Some(word)) if !set && !matches!(value, Lookup::Unknown) => {
                self.incomplete = true;
                let message = match &word {
                    Word::Plain(range) => &text.as_str()[range.clone()],
                    Word::Parsed(pair) => pair.as_str(),
                };
                self.missing.push(missing(Some(message.to_owned())));
            }
            _ => match value {
                Lookup::Value(value) => builder.push_fixed(value.as_str(), span),
                Lookup::Unknown => {}
                Lookup::Unset => {
                    self.incomplete = true;
                    self.missing.push(missing(None));
                }
            },
        }
    }

    fn word(&mut self, word: Word<'_>, text: &Text, lookup: &dyn Fn(&str) -> Lookup, builder: &mut TextBuilder) {
        match word {
            Word::Plain(range) => builder.push(text, range),
            Word::Parsed(pair) => self.pieces(pair.into_inner(), text, lookup, builder),
        }
    }

    fn problem(&mut self, span: Span, message: String) {
        self.problems.push(Problem { span, message, related: None });
    }
}

#[cfg(test)]
mod tests {
    use super::{Interpolated, interpolate};
    use crate::source::{FileId, Lookup, Sources, Span, Text};

    fn read(value: &str) -> (Sources, Interpolated) {
        let mut sources = Sources::default();
        let file = sources.add("value", value);
        let anywhere = Span { file: FileId(0), start: 0, end: 0 };
        let lookup = |name: &str| match name {
            "SET" => Lookup::Value(Text::fixed("shop", anywhere)),
            "EMPTY" => Lookup::Value(Text::fixed("", anywhere)),
            "SECRET" => Lookup::Unknown,
            _ => Lookup::Unset,
        };
        let result = interpolate(&sources.text(file), &lookup);
        (sources, result)
    }

    #[test]
    fn values_and_defaults() {
        for (written, wanted) in [
            ("$SET-${SET}", "shop-shop"),
            ("${EMPTY:-d}${EMPTY-d}${NONE-d}", "dd"),
            ("${SET:+r}${EMPTY:+r}${EMPTY+r}${NONE+r}", "rr"),
            ("$$SET $${SET} $ $1 100$", "$SET ${SET} $ $1 100$"),
            ("${NONE:-${EMPTY:-deep $SET}}", "deep shop"),
            ("${NONE:-{a}}", "{a}"),
            ("${SET:-{a}}", "shop}"),
            ("${NONE}|${EMPTY?m}", "|"),
        ] {
            let (_, result) = read(written);
            assert_eq!(result.text.as_str(), wanted, "{written}");
            assert!(result.problems.is_empty());
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let (sources, result) = read("a ${NONE} ${NONE:-x} ${NEEDED:?write it} ${SECRET}");
        let missing: Vec<_> = result.missing.iter().map(|missing| sources.quote(missing.span)).collect();
        assert_eq!(missing, ["${NONE}", "${NEEDED:?write it}"]);
        assert_eq!(sources.quote(result.missing[0].name.span), "NONE");
        assert_eq!(result.missing[1].required.as_deref(), Some("write it"));
        assert!(result.incomplete);
        assert!(!read("${NONE:-x} ${NONE:+y}").1.incomplete);
        assert!(read("${SECRET:-x}").1.incomplete);
    }

    #[test]
    fn each_piece_knows_its_place() {
        let (sources, result) = read("http://${SET}:${NONE:-80}/");
        assert_eq!(result.text.as_str(), "http://shop:80/");
        assert_eq!(sources.quote(result.text.span(7..11)), "${SET}");
        assert_eq!(sources.quote(result.text.span(12..14)), "80");
    }

    #[test]
    fn what_is_no_variable_is_a_problem() {
        for (written, blamed) in [
            ("a ${1} b", "${1}"),
            ("${}", "${}"),
            ("${SET", "${SET"),
            ("${SET:0:1}", "${SET:0:1}"),
            ("${ SET }", "${ SET }"),
            ("${A.B:-1}", "${A.B:-1}"),
        ] {
            let (sources, result) = read(written);
            assert_eq!(sources.quote(result.problems[0].span), blamed);
        }
        let deep = "${A:-".repeat(100_000);
        assert_eq!(read(&deep).1.problems.len(), 1);
        let (_, closed) = read(&format!("{deep}{}", "}".repeat(100_000)));
        assert_eq!(closed.problems.len(), 1);
    }
}
