//! Every token rule, every problem, and that what stands behind a broken place is still read.

use crate::source::{FileId, Text};
use crate::syntax::nginx::{DirectiveRef, Directives, Tree, is_foreign_template, parse};

fn tree(source: &str) -> Tree {
    parse(&Text::of_file(FileId(0), source))
}

/// The tree in one line: `name|argument;` and `name{…}`, words without quotes and escapes.
fn shape(source: &str) -> String {
    let tree = tree(source);
    shape_of(tree.root(), source)
}

fn shape_of(directives: Directives<'_>, source: &str) -> String {
    directives.map(|directive| shape_of_one(directive, source)).collect()
}

fn shape_of_one(directive: DirectiveRef<'_>, source: &str) -> String {
    let words: Vec<_> =
        std::iter::once(directive.name()).chain(directive.arguments().map(|word| word.value())).collect();
    let words = words.join("|");
    if let Some(body) = directive.lua() {
        return format!("{words}<{}>", &source[body.range()]);
    }
    if directive.is_block() {
        return format!("{words}{{{}}}", shape_of(directive.children(), source));
    }
    format!("{words};")
}

/// The problems, each as `line: message`, with `<- line` for the related place.
fn problems(source: &str) -> Vec<String> {
    let line = |at: u32| source[..at as usize].matches('\n').count() + 1;
    let tree = tree(source);
    let described = tree.problems().iter().map(|problem| {
        let related = problem.related.as_ref().map(|(span, _)| format!(" <- {}", line(span.start)));
        format!("{}: {}{}", line(problem.span.start), problem.message, related.unwrap_or_default())
    });
    described.collect()
}

fn sound(source: &str) -> String {
    assert_eq!(problems(source), Vec::<String>::new(), "{source}");
    shape(source)
}

#[test]
fn words_end_at_white_space_semicolons_and_braces() {
    assert_eq!(sound("a b\tc\r\nd;e{f g;}h i{}"), "a|b|c|d;e{f|g;}h|i{}");
    assert_eq!(sound("http{server{listen 1;}}"), "http{server{listen|1;}}");
    assert_eq!(sound("if ($a = b){ return 1; }"), "if|($a|=|b){return|1;}");
    assert_eq!(sound("a\u{a0}b \u{b}c;"), "a\u{a0}b|\u{b}c;");
    assert_eq!(sound(""), "");
    assert_eq!(sound(" \n"), "");
}

#[test]
fn a_closing_brace_quotes_and_hashes_are_ordinary_within_a_word() {
    assert_eq!(sound("a b}c d\"e f' g#h;"), "a|b}c|d\"e|f'|g#h;");
}

#[test]
fn a_brace_behind_a_dollar_belongs_to_the_word() {
    assert_eq!(sound("a ${b}c x${d} ${${{e;"), "a|${b}c|x${d}|${${{e;");
    assert_eq!(sound("a \\${ b; }"), "a|\\${b;}");
    assert_eq!(sound("a b{2} c; }"), "a|b{2}|c;}");
}

#[test]
fn a_backslash_keeps_the_byte_behind_it_from_ending_a_word() {
    assert_eq!(sound(r"env PATHS=\;\;/x;"), r"env|PATHS=\;\;/x;");
    assert_eq!(sound(r"location ~ ^/a\{2\}\ b$ {}"), r"location|~|^/a\{2\}\ b${}");
    assert_eq!(sound("a \\\nb;"), "a|\\\nb;");
    assert_eq!(sound(r"a \#b \é;"), r"a|\#b|\é;");
}

#[test]
fn escapes_are_replaced_in_quotes_and_outside() {
    let expected = "a|q\"'\\\t\r\n\\d\\;é;";
    assert_eq!(sound(r#"a "q\"\'\\\t\r\n\d\;é";"#), expected);
    assert_eq!(sound(r#"a q\"\'\\\t\r\n\d\;é;"#), expected);
    assert_eq!(sound(r#"a '\\\\n';"#), r"a|\\n;");
}

#[test]
fn quoted_words() {
    assert_eq!(sound("\"a\" '' \"\" 'b \"c\" ; { } # d' \"it's\ntwo\";"), "a|||b \"c\" ; { } # d|it's\ntwo;");
    assert_eq!(sound("if ($a = \"b\"){ c 'd'; }"), "if|($a|=|b|){c|d;}");
    assert_eq!(sound("a 'b'{c 'd';}"), "a|b{c|d;}");
}

#[test]
fn comments_stand_between_words() {
    let source = "# one {\r\na # two ;\n b; c d#e;# three";
    assert_eq!(sound(source), "a|b;c|d#e;");
}

#[test]
fn entries_of_raw_blocks_are_directives() {
    let source = "map $a $b { default 0; ~^/x;y 1; \"\" 'z'; *.shop.test 2; include m.conf; }";
    assert_eq!(shape(source), "map|$a|$b{default|0;~^/x;y|1;|z;*.shop.test|2;include|m.conf;}");
    assert_eq!(sound("types { text/html html htm; }"), "types{text/html|html|htm;}");
}

#[test]
fn words_and_directives_know_where_they_stand() {
    let source = "http {\n proxy_pass \"http://a\\\"b\" x; # end\n}\n";
    let tree = tree(source);
    let at = |span: crate::source::Span| &source[span.range()];
    let http = tree.root().next().expect("http");
    assert_eq!((at(http.name_span()), at(http.span()), at(http.block_span())), ("http", "http {", source.trim_end()));
    let pass = http.children().next().expect("proxy_pass");
    assert_eq!((at(pass.span()), at(pass.block_span())), ("proxy_pass \"http://a\\\"b\" x;", at(pass.span())));
    assert_eq!((pass.argument_count(), pass.arguments().count(), pass.children().count()), (2, 2, 0));
    let address = pass.argument(0).expect("the address");
    assert_eq!((at(address.span()), address.is_quoted()), ("\"http://a\\\"b\"", true));
    assert_eq!((&*address.value(), address.text().as_str()), ("http://a\"b", "http://a\"b"));
    assert_eq!(at(address.text().span(7..8)), "a");
    assert_eq!(at(address.text().span(9..10)), "b");
    assert!(!pass.argument(1).expect("x").is_quoted());
    assert!(pass.argument(2).is_none() && pass.argument(usize::MAX).is_none());
}

#[test]
fn lua_blocks_are_left_to_lua() {
    assert_eq!(sound("content_by_lua_block{ a = {} } b;"), "content_by_lua_block< a = {} >b;");
    assert_eq!(
        sound("set_by_lua_block $p { return '}' .. \"\\\"}\" }"),
        "set_by_lua_block|$p< return '}' .. \"\\\"}\" >"
    );
    for body in
        [" -- don't }\n", " [[ } ]] ", " [===[ } ]==] ]===] ", " --[=[ }\n ]=] ", " t[a[1]] = '{' ", "", " -- [[ }\n "]
    {
        assert_eq!(sound(&format!("x_by_lua_block {{{body}}} y;")), format!("x_by_lua_block<{body}>y;"));
    }
}

#[test]
fn a_lua_block_that_is_never_closed_ends_where_the_indentation_says() {
    let source = "http {\n  a_by_lua_block {\n    x = {{\n  }\n  b;\n}\n";
    assert_eq!(problems(source), ["2: the lua block is never closed"]);
    assert_eq!(shape(source), "http{a_by_lua_block<\n    x = {{\n  >b;}");
    let source = "http {\n  a_by_lua_block {\n    x = {\n  }\n  b;\n}\n";
    assert_eq!(problems(source), ["2: the block is never closed <- 6"]);
    assert_eq!(shape("a_by_lua_block { { }"), "a_by_lua_block< { >");
    assert_eq!(shape("a_by_lua_block { { x"), "a_by_lua_block< { x>");
    assert_eq!(shape("a_by_lua_block {"), "a_by_lua_block<>");
}

#[test]
fn a_semicolon_that_is_missing_before_a_brace_or_the_end() {
    let source = "server {\n  listen 80\n}\nb c;";
    assert_eq!(problems(source), ["2: missing `;` before `}`"]);
    assert_eq!(shape(source), "server{listen|80;}b|c;");
    assert_eq!(shape("a { return 1 \"b\"} c;"), "a{return|1|b;}c;");
    assert_eq!(problems("a { return 1 \"b\"} c;"), ["1: missing `;` before `}`"]);
    assert_eq!(problems("a;\nb c\n"), ["2: missing `;` at the end of the file"]);
    assert_eq!(shape("a;\nb c\\"), "a;b|c|\\;");
}

#[test]
fn a_semicolon_that_is_missing_at_the_end_of_a_line() {
    let source = "server {\n listen 80 # here\n server_name a.test\n root /srv;\n index a\n location / {\n  b;\n }\n}";
    let message = "missing `;` at the end of the line before";
    assert_eq!(problems(source), [(2, 3), (3, 4), (5, 6)].map(|(line, next)| format!("{line}: {message} <- {next}")));
    assert_eq!(shape(source), "server{listen|80;server_name|a.test;root|/srv;index|a;location|/{b;}}");
    assert_eq!(problems("proxy_set_header Host $host\nproxy_pass http://a;").len(), 1);
    assert_eq!(problems("upstream a { least_conn\nserver b:1\nserver c:2; }").len(), 2);
    assert_eq!(problems("include a.conf\nunheard_of b;").len(), 1);
    assert_eq!(problems("listen 80\nssl_unheard_of b;").len(), 1);
    assert_eq!(problems("unheard_of 1\nlocation = /a {}").len(), 1);
}

#[test]
fn arguments_that_look_like_directives_are_left_alone() {
    for source in [
        "server_name a\n index\n server\n root;",
        "access_log /a main\n gzip buffer=1k;",
        "log_format x\n listen 1\n root 2;",
        "map $a $b { listen 1\n root 2; }",
        "index\n index a;",
        "listen 80 root /srv;",
        "listen 80\n 'root' /srv;",
        "add_header A b\n always;",
        "fastcgi_param A\n b\n if_not_empty;",
        "server_name a.test b.test\n c.test d.test;",
        "proxy_set_header Host\n index b;",
    ] {
        sound(source);
    }
}

#[test]
fn a_block_that_is_never_closed() {
    let source = "http {\n  server {\n    listen 80;\n";
    assert_eq!(problems(source), ["2: the block is never closed"]);
    assert_eq!(shape(source), "http{server{listen|80;}}");
    let source = "http {\n  server {\n    location / {\n      a;\n  }\n  server {\n    b;\n  }\n}\n";
    assert_eq!(problems(source), ["3: the block is never closed <- 5"]);
}

#[test]
fn braces_and_semicolons_out_of_place() {
    let source = "a {\n}\n}\nb;\n;\n{ c; }\nd;";
    let expected = [
        "3: unexpected `}`: no block is open here",
        "5: unexpected `;`: there is no directive before it",
        "6: unexpected `{`: there is no directive before it",
    ];
    assert_eq!(problems(source), expected);
    assert_eq!(shape(source), "a{}b;{c;}d;");
}

#[test]
fn a_quote_that_is_never_closed_ends_with_its_line() {
    for quote in ['"', '\''] {
        let source = format!("a {{\n b {quote}c;\n d e;\n}}\nf;");
        assert_eq!(problems(&source), ["2: the quote is never closed"]);
        assert_eq!(shape(&source), "a{b|c;d|e;}f;");
    }
    // The next quote of its kind stands in another line, in front of a word.
    let source = "a {\n b \"c;\n d \"e\";\n location ~ \"f {\n  g;\n }\n}\nh \"i\";";
    assert_eq!(problems(source), ["2: the quote is never closed <- 3"]);
    assert_eq!(shape(source), "a{b|c;d|e;location|~|f{g;}}h|i;");
    assert_eq!(shape("\""), ";");
    assert_eq!(shape("a \"\nb;"), "a|;b;");
}

#[test]
fn something_else_than_a_space_behind_a_closing_quote() {
    let source = "a \"b\"c \"d\"\"e\";\nf 'g'#h;\n i;";
    let message = "no space after the closing quote";
    assert_eq!(problems(source), [format!("1: {message}"), format!("2: {message}")]);
    assert_eq!(shape(source), "a|b|c|d|e;f|g|i;");
}

#[test]
fn a_word_has_to_fit_into_the_buffer() {
    // (what stands before the word, behind it, and the most bytes that it can have)
    let limits = [("", ";", 4095), ("", "{}", 4095), ("", " b;", 4094), ("\"", "\";", 4094), ("'", "' b;", 4093)];
    for (before, behind, most) in limits {
        sound(&format!("a {before}{}{behind}", "x".repeat(most)));
        let found = problems(&format!("a {before}{}{behind}\nc;", "x".repeat(most + 1)));
        assert_eq!(found.len(), 1, "{before} {behind}");
        assert!(found[0].contains("longer than the 4096 bytes"), "{found:?}");
    }
    sound(&format!("#{}\n", "x".repeat(4094)));
    assert_eq!(problems(&format!("#{}\n", "x".repeat(4095))).len(), 1);
}

#[test]
fn a_byte_order_mark_is_a_problem_and_the_rest_is_read() {
    let source = "\u{feff}user a;\nb;";
    let expected = "1: the file begins with a byte order mark, which nginx takes for a part of the first directive";
    assert_eq!(problems(source), [expected]);
    assert_eq!(shape(source), "user|a;b;");
}

#[test]
fn every_prefix_and_every_text_less_one_byte_is_read() {
    let source = "a 'b' \"\\\"é\" { # c\n x_by_lua_block { [=[ ]=] '}' }\n ${d} \\; ;}\n listen 1\n root /;";
    for (at, letter) in source.char_indices() {
        shape(&source[..at]);
        shape(&format!("{}{}", &source[..at], &source[at + letter.len_utf8()..]));
        shape(&source[at..]);
        is_foreign_template(&source[at..]);
    }
}

#[test]
fn nothing_takes_more_than_linear_time() {
    let texts = [
        "a {".repeat(1_000_000),
        "a \"b ".repeat(100_000),
        "a \"b;\n".repeat(100_000),
        "\"\"".repeat(30_000),
        "a {{ ".repeat(30_000),
        "a \"{{'b".repeat(30_000),
        "listen 80\nroot /\nindex a;".repeat(10_000),
        format!("a_by_lua_block {{ {}", "[==[ ".repeat(100_000)),
        format!("a_by_lua_block {{ {}", "--[[ \" ' ".repeat(100_000)),
        "a_by_lua_block { {\n}\n".repeat(30_000),
    ];
    for text in texts {
        // Quadratic time would be minutes.
        assert!(!tree(&text).problems().is_empty());
        is_foreign_template(&text);
    }
}

#[test]
fn templates_of_other_languages() {
    for (source, language) in [
        ("upstream {{ name }} { server a; }", Some("a Jinja template")),
        ("{% for a in b %}\nserver {{ a.b|lower }};\n{% endfor %}", Some("a Jinja template")),
        ("server_name {{ .Host }};", Some("a Go template")),
        ("{{- range $a := .B }}\nserver a;\n{{ end }}", Some("a Go template")),
        ("listen {{ getenv \"PORT\" }};", Some("a Go template")),
        ("listen <%= @port %>;", Some("an ERB template")),
        ("a \"{{ name(\"key\") }}\";", Some("a Jinja template")),
        ("server { proxy_pass http://{BACKEND}; listen {PORT}; a b; }", Some("a template with `{NAME}` in it")),
        ("server { a b; c '{NAME}'; # {NAME}\n}", None),
        ("[www]\n; \"%R - %u {mega} %{kilo}M\"\nlisten = a\n", None),
        ("listen ${PORT};", None),
        ("a ${{b}};", None),
        ("# {{ a }}\nb '{{ c }}' \"{% d %}\";", None),
        ("x_by_lua_block { a = {{ 1 }} }", None),
        ("http {{ a; }", None),
        ("a { b; }", None),
    ] {
        assert_eq!(is_foreign_template(source), language, "{source}");
    }
}
