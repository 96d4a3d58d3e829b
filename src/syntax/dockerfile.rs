//! Dockerfiles: their instructions, with continued lines joined and here-documents taken in.
//!
//! Source of the notation: the Dockerfile reference and the behaviour of BuildKit's parser.

use crate::source::{Span, Spanned, Text};
use crate::syntax::Problem;
use crate::syntax::command_line::{Heredoc, Word};
use crate::syntax::dockerfile::lines::Lines;

mod instruction;
mod lines;

#[derive(Clone, Debug, Default)]
pub struct Dockerfile {
    pub instructions: Vec<Instruction>,
    /// It is the template of a Dockerfile (Jinja, Go, ERB) and was not read: where that shows first.
    pub template: Option<Span>,
    pub problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
pub struct Instruction {
    /// In capitals.
    pub name: Spanned<String>,
    /// `--from=…`, in their order.
    pub flags: Vec<Flag>,
    pub kind: Kind,
    /// From the name to the end of its last argument, here-documents not included.
    pub span: Span,
}

#[derive(Clone, Debug)]
pub struct Flag {
    /// Without the dashes.
    pub name: Spanned<String>,
    pub value: Option<Word>,
}

/// What an instruction says. Words still hold their variables.
#[derive(Clone, Debug)]
pub enum Kind {
    From {
        image: Word,
        name: Option<Spanned<String>>,
    },
    Argument(Vec<(Spanned<String>, Option<Word>)>),
    Environment(Vec<(Spanned<String>, Word)>),
    Label(Vec<(Spanned<String>, Word)>),
    Run(Form),
    Command(Form),
    Entrypoint(Form),
    /// The command in front of shell forms.
    Shell(Vec<Text>),
    /// `COPY` and `ADD`.
    Copy {
        sources: Vec<CopySource>,
        target: Word,
    },
    Expose(Vec<Word>),
    User(Word),
    Directory(Word),
    Volume(Vec<Word>),
    Healthcheck(Option<Form>),
    OnBuild(Box<Instruction>),
    /// `STOPSIGNAL` and `MAINTAINER`.
    Other(Text),
}

/// How a command is given.
#[derive(Clone, Debug)]
pub enum Form {
    /// A JSON list: no shell looks at it.
    Exec(Vec<Text>),
    /// A text for the shell; with the here-documents that its line announces.
    Shell(Text),
}

#[derive(Clone, Debug)]
pub enum CopySource {
    Path(Word),
    /// The name is the end mark, which is the file's name when the target is a folder.
    Heredoc {
        name: Spanned<String>,
        heredoc: Heredoc,
    },
}

impl Instruction {
    /// The value of a flag.
    pub fn flag(&self, name: &str) -> Option<&Word> {
        self.flags.iter().find(|flag| flag.name.value == name)?.value.as_ref()
    }
}

/// Reads a whole Dockerfile.
pub fn parse(text: &Text) -> Dockerfile {
    let mut file = Dockerfile::default();
    let mut lines = Lines::of(text);
    let mut stage = false;
    while let Some(line) = lines.next(&mut file.problems) {
        if is_template(line.as_str()) {
            return Dockerfile { template: Some(line.whole()), ..Dockerfile::default() };
        }
        let Some(instruction) = instruction::read(&line, &mut lines, &mut file.problems) else { continue };
        match &instruction.kind {
            Kind::From { .. } => stage = true,
            Kind::Argument(_) => {}
            _ if !stage => {
                let message = format!("`{}` before the first `FROM`", instruction.name);
                file.problems.push(Problem { span: instruction.name.span, message, related: None });
                // Said once.
                stage = true;
            }
            _ => {}
        }
        file.instructions.push(instruction);
    }
    file
}

/// Marks of a template engine where an instruction or an image should stand.
fn is_template(line: &str) -> bool {
    let marks = ["{{", "{%", "{#", "<%"];
    let (name, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    marks.iter().any(|mark| name.starts_with(mark) || (name.eq_ignore_ascii_case("FROM") && rest.contains(mark)))
}

#[cfg(test)]
mod tests {
    use super::{CopySource, Dockerfile, Form, Instruction, Kind, parse};
    use crate::source::{Lookup, Sources, Text};
    use crate::syntax::command_line::Word;

    fn read(source: &str) -> (Sources, Dockerfile) {
        let mut sources = Sources::default();
        let file = sources.add("Dockerfile", source);
        let text = sources.text(file);
        (sources, parse(&text))
    }

    fn word(word: &Word) -> String {
        let place = word.span;
        let name = |name: &str| Lookup::Value(Text::fixed(&format!("<{name}>"), place));
        word.expand(&name).map_or("?".to_owned(), |text| text.to_string())
    }

    fn words(list: &[Word]) -> String {
        list.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    fn form(form: &Form) -> String {
        match form {
            Form::Exec(list) => format!("{:?}", list.iter().map(Text::as_str).collect::<Vec<_>>()),
            Form::Shell(text) => format!("sh {text}"),
        }
    }

    fn kind(kind: &Kind) -> String {
        match kind {
            Kind::From { image, name } => {
                format!("{} as {}", word(image), name.as_ref().map_or("-", |name| name.value.as_str()))
            }
            Kind::Argument(list) => {
                let list =
                    list.iter().map(|(name, value)| format!("{name}={}", value.as_ref().map_or("-".into(), word)));
                list.collect::<Vec<_>>().join(" ")
            }
            Kind::Environment(list) | Kind::Label(list) => {
                list.iter().map(|(name, value)| format!("{name}={}", word(value))).collect::<Vec<_>>().join("|")
            }
            Kind::Run(it) | Kind::Command(it) | Kind::Entrypoint(it) => form(it),
            Kind::Shell(list) => format!("{:?}", list.iter().map(Text::as_str).collect::<Vec<_>>()),
            Kind::Copy { sources, target } => {
                let sources = sources.iter().map(|source| match source {
                    CopySource::Path(path) => word(path),
                    CopySource::Heredoc { name, heredoc } => {
                        format!("{name}({:?}, {})", heredoc.text.as_str(), heredoc.quoted)
                    }
                });
                format!("{} -> {}", sources.collect::<Vec<_>>().join(" "), word(target))
            }
            Kind::Expose(list) | Kind::Volume(list) => words(list),
            Kind::User(it) | Kind::Directory(it) => word(it),
            Kind::Healthcheck(it) => it.as_ref().map_or("none".to_owned(), form),
            Kind::OnBuild(inner) => instruction(inner),
            Kind::Other(text) => text.to_string(),
        }
    }

    fn instruction(instruction: &Instruction) -> String {
        let flags = instruction.flags.iter().map(|flag| format!(" --{}", flag.name));
        format!("{}{} {}", instruction.name, flags.collect::<String>(), kind(&instruction.kind))
    }

    fn shown(source: &str) -> Vec<String> {
        let (_, file) = read(source);
        assert!(file.problems.is_empty(), "{:?}", file.problems);
        file.instructions.iter().map(instruction).collect()
    }

    #[test]
    fn each_instruction_in_its_form() {
        let source = r#"# syntax=docker/dockerfile:1
ARG VERSION=3 EDGE
from --platform=$TARGET base:${VERSION:-2} AS build
ENV A=1 B="two words" C=$A\ d
ENV OLD some  value
LABEL "com.example.x"="y z" plain=1
WORKDIR /opt/my app
COPY --from=build --chown=1:1 a "b c" dir/
ADD ["x y", "/z"]
EXPOSE 80/tcp $PORT 3000-3005 53/udp
USER app:app
VOLUME /data /more
SHELL ["/bin/bash", "-c"]
RUN --mount=type=cache,target=/x make
RUN [ -f x ] && touch y
HEALTHCHECK --interval=5s CMD wget -q localhost
healthcheck none
STOPSIGNAL SIGQUIT
ONBUILD COPY . /src
ENTRYPOINT ["run", "a\"b\u0041", "$X"]
CMD run $X
"#;
        assert_eq!(
            shown(source),
            [
                "ARG VERSION=3 EDGE=-",
                "FROM --platform base:<VERSION> as build",
                "ENV A=1|B=two words|C=<A> d",
                "ENV OLD=some  value",
                "LABEL com.example.x=y z|plain=1",
                "WORKDIR /opt/my app",
                "COPY --from --chown a b c -> dir/",
                "ADD x y -> /z",
                "EXPOSE 80/tcp <PORT> 3000-3005 53/udp",
                "USER app:app",
                "VOLUME /data /more",
                r#"SHELL ["/bin/bash", "-c"]"#,
                "RUN --mount sh make",
                "RUN sh [ -f x ] && touch y",
                "HEALTHCHECK --interval sh wget -q localhost",
                "HEALTHCHECK none",
                "STOPSIGNAL SIGQUIT",
                "ONBUILD COPY . -> /src",
                r#"ENTRYPOINT ["run", "a\"bA", "$X"]"#,
                "CMD sh run $X",
            ]
        );
    }

    #[test]
    fn lines_are_joined() {
        let source = "FROM a\r\nRUN one \\\r\n# why\r\n\r\n  && two \\ \n  three\nCMD x";
        assert_eq!(shown(source), ["FROM a as -", "RUN sh one   && two   three", "CMD sh x"]);
        let (sources, file) = read(source);
        let Kind::Run(Form::Shell(text)) = &file.instructions[1].kind else { panic!("it is a shell form") };
        let at = text.as_str().find("three").expect("it is there");
        assert_eq!(sources.quote(text.span(at..at + 5)), "three");
        assert_eq!(shown("# escape=`\nFROM a\nRUN b `\n c\\\n")[1], "RUN sh b  c\\");
    }

    #[test]
    fn here_documents_are_taken_in() {
        let source = "FROM a\nCOPY <<one.conf <<-\"TWO\" /etc/\nlisten $PORT;\n# kept \\\none.conf\n\tsecond\n\tTWO\n\
                      RUN <<END\nset -e\nrm x\nEND\nRUN cat <<'X' >/y && z\nFROM b\nX\nCMD c\n";
        assert_eq!(
            shown(source),
            [
                "FROM a as -",
                "COPY one.conf(\"listen $PORT;\\n# kept \\\\\\n\", false) TWO(\"second\\n\", true) -> /etc/",
                "RUN sh set -e\nrm x\n",
                "RUN sh cat <<'X' >/y && z\nFROM b\nX",
                "CMD sh c",
            ]
        );
        let (sources, file) = read(source);
        let Kind::Copy { sources: copied, .. } = &file.instructions[1].kind else { panic!("it is a COPY") };
        let CopySource::Heredoc { heredoc, .. } = &copied[1] else { panic!("it is a here-document") };
        assert_eq!(sources.quote(heredoc.text.span(0..6)), "second");
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_counts() {
        let (sources, file) =
            read("RUN early\nFROM a b\nFROM a\nEXPOZE 80\nCOPY x\nSHELL sh\nONBUILD ONBUILD RUN x\nENV A\nCMD y \\\n");
        let quoted: Vec<_> = file.problems.iter().map(|problem| sources.quote(problem.span)).collect();
        assert_eq!(quoted, ["RUN", "a b", "EXPOZE", "x", "sh", "ONBUILD", "A", "CMD y \\"]);
        assert_eq!(file.instructions.len(), 3);
    }

    #[test]
    fn templates_are_not_read() {
        for source in ["FROM {{ image }}\nRUN x", "FROM a\n{% if b %}\nRUN x\n{% endif %}", "FROM a\n<% x %>"] {
            let (_, file) = read(source);
            assert!(file.template.is_some() && file.instructions.is_empty() && file.problems.is_empty());
        }
        assert!(read("FROM a\nRUN inspect --format '{{.Name}}'").1.template.is_none());
    }

    #[test]
    fn nothing_breaks_it() {
        let source = "\u{feff}# escape=\\\nFROM --platform=x a AS b\nENV A='é' \"B\"=c\nCOPY <<-'E' --x [\"y\\u00e9\"] z\n\tq\n\tE\nRUN x <<F \\\n # c\n y\r\nF\nONBUILD HEALTHCHECK CMD [\"a\", \"b\"]\n";
        for end in (0..=source.len()).filter(|end| source.is_char_boundary(*end)) {
            read(&source[..end]);
        }
        for line in ["RUN a <<b ", "COPY <<a <<b c\n", "ENV A=\"\n", "RUN x \\\n", "CMD [\"a\",\n", "ONBUILD ", "\\\n"]
        {
            read(&format!("FROM a\n{}", line.repeat(2_000)));
        }
    }
}
