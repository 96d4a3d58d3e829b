//! Says in a reader's words what the YAML parser could not read.

use granit_parser::{ErrorKind, ScanError};

/// A sentence without a full stop. What hardly anybody writes is told in the parser's own words.
pub fn of(error: &ScanError) -> String {
    let words = match error.kind() {
        ErrorKind::UnexpectedCharacter { character: '\t' } => "a tab cannot indent: YAML takes blanks only",
        ErrorKind::UnexpectedCharacter { character } => {
            return format!("a value cannot begin with `{}`: quote it", character.escape_default());
        }
        ErrorKind::UnclosedFlowCollection { .. } => "this bracket is never closed",
        ErrorKind::InvalidQuotedScalarIndent => "the quote above is never closed",
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart => "a tab cannot indent: YAML takes blanks only",
        ErrorKind::UnclosedQuotedScalar | ErrorKind::DocumentIndicatorInQuotedScalar => "a quote is never closed",
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "text behind the closing quote"
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => {
            "a backslash in double quotes stands in front of a letter that means nothing: write it twice"
        }
        ErrorKind::UnexpectedEofFlowSequence | ErrorKind::ExpectedFlowSequenceSeparator => {
            "expected `,` or `]`: this list is not closed"
        }
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator => "expected `,` or `}`: this mapping is not closed",
        ErrorKind::MisplacedFlowCollectionEnd => "a closing bracket without an opening one",
        ErrorKind::ExpectedBlockMappingKey => "expected a key at this indentation",
        ErrorKind::SimpleKeyExpected | ErrorKind::InvalidSimpleKey => "expected `:` behind this key",
        ErrorKind::ExpectedBlockSequenceEntry => "expected `-` at this indentation",
        ErrorKind::BlockSequenceEntryNotAllowed => "a `-` cannot begin a list here",
        ErrorKind::MappingKeyNotAllowed | ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            "a `:` cannot stand here: quote the value, or indent the line"
        }
        ErrorKind::InvalidIndentation => "this indentation fits to no line above",
        ErrorKind::RecursionLimitExceeded => "too deep to be read",
        _ => return error.info(),
    };
    words.to_owned()
}
