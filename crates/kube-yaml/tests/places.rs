//! Lines, neighbours, warnings and errors.

use kube_yaml::{Document, WarningKind, parse, parse_one};
use serde_json::json;

fn lines(documents: &[Document]) -> Vec<usize> {
    documents.iter().map(|d| d.line).collect()
}

fn error(text: &str) -> String {
    let documents = parse(text.as_bytes());
    let found: Vec<String> = documents
        .iter()
        .filter_map(|d| d.value.as_ref().err().map(ToString::to_string))
        .collect();
    found.join("; ")
}

fn warnings(text: &str) -> Vec<(usize, String)> {
    let all = parse(text.as_bytes()).into_iter().flat_map(|d| d.warnings);
    all.map(|w| (w.line, w.message)).collect()
}

#[test]
fn documents_know_their_first_line_and_count_without_empty_ones() {
    let text = "# head\n\n---\n# comment\nkind: A\n---\n---\n# nothing\n---\n\nkind: B\n--- # c\nkind: C\n";
    let documents = parse(text.as_bytes());
    assert_eq!(lines(&documents), [5, 11, 13]);
    assert_eq!(documents.iter().map(|d| d.index).collect::<Vec<_>>(), [0, 1, 2]);
    let crlf = parse(text.replace('\n', "\r\n").as_bytes());
    assert_eq!(lines(&crlf), [5, 11, 13]);
}

#[test]
fn json_values_know_their_lines() {
    let documents = parse(b"\n{\"a\": 1}\n\n{\"b\":\n 2} {\"c\": 3}\n");
    assert_eq!(lines(&documents), [2, 4, 5]);
    let mixed = parse(b"{\"a\": 1}\n---\n\nb: 2\n");
    assert_eq!(lines(&mixed), [1, 4]);
}

#[test]
fn a_bad_document_does_not_lose_its_neighbours() {
    let text = b"a: 1\n---\n# x\nb: [1\nc: 2\n---\nd: 3\n---foo\ne: 4\n---\nf: \xff\n---\ng: 5\n";
    let documents = parse(text);
    let good: Vec<_> = documents.iter().filter_map(|d| d.value.as_ref().ok()).collect();
    assert_eq!(good, [&json!({"a": 1}), &json!({"d": 3}), &json!({"g": 5})]);
    assert_eq!(lines(&documents), [1, 4, 7, 8, 11, 13]);
    let bad: Vec<_> = documents
        .iter()
        .filter_map(|d| d.value.as_ref().err().map(|e| e.line))
        .collect();
    assert_eq!(bad, [5, 8, 11]);
    let json = parse(b"{\"a\": 1e999}\n{\"b\": 2}\n");
    assert!(json[0].value.is_err());
    assert_eq!(json[1].value, Ok(json!({"b": 2})));
}

#[test]
fn a_key_given_twice_is_warned_of_with_both_lines_and_the_path() {
    let text = "kind: A\n---\nspec:\n  containers:\n  - name: a\n    image: one\n    image: two\nmetadata:\n  annotations:\n    a.b/c: 1\n    a.b/c: 2\n";
    let documents = parse(text.as_bytes());
    assert_eq!(
        documents[1]
            .value
            .as_ref()
            .map(|v| &v["spec"]["containers"][0]["image"]),
        Ok(&json!("two"))
    );
    assert_eq!(
        warnings(text),
        [
            (
                7,
                "image is given again in spec.containers[0]: this one overrides line 6".to_owned()
            ),
            (
                11,
                "a.b/c is given again in metadata.annotations: this one overrides line 10".to_owned()
            ),
        ]
    );
    let kind = &documents[1].warnings[0].kind;
    assert_eq!(
        *kind,
        WarningKind::DuplicateKey {
            path: "spec.containers[0]".to_owned(),
            key: "image".to_owned(),
            first_line: 6,
        }
    );
    let json = "{\"x\": 1}\n{\n\"a\": 1,\n\"b\": {\"c\": 1,\n\"c\": 2}}\n";
    assert_eq!(
        warnings(json),
        [(5, "c is given again in b: this one overrides line 4".to_owned())]
    );
}

#[test]
fn overriding_what_a_merge_brought_is_no_mistake() {
    assert_eq!(
        warnings("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 3\nc:\n  x: 3\n  <<: *a\n"),
        []
    );
}

#[test]
fn what_kubernetes_does_not_read_is_warned_of() {
    let after = "this comes after the end of the document; Kubernetes does not read it";
    assert_eq!(warnings("a: 1\n...\nb: 2\n"), [(3, after.to_owned())]);
    assert_eq!(warnings("a: 1\n...\n# only this\n"), []);
    let one = parse_one(b"a: 1\n---\n\nb: 2\n");
    assert_eq!(one.value, Ok(json!({"a": 1})));
    assert_eq!((one.warnings[0].line, &one.warnings[0].kind), (4, &WarningKind::Unread));
    assert!(parse_one(b"---\na: 1\n---\n").warnings.is_empty());
    assert_eq!(warnings("a: 1\nb: |\n  x\u{2028}y\n")[0].0, 3);
}

#[test]
fn errors_name_the_place_and_never_the_value() {
    let cases = [
        ("a: 1\nb: [s3cret", "line 2, column 4: unclosed bracket '['"),
        (
            "a: 1\n\tb: s3cret\n",
            "line 1, column 4: while scanning a plain scalar, found a tab",
        ),
        (
            "a: *s3cret\n",
            "line 1, column 4: while parsing node, found unknown anchor",
        ),
        (
            "a: !!int s3cret\n",
            "line 1, column 10: the value is not what its tag !!int says",
        ),
        (
            "a: !!binary s3cret!\n",
            "line 1, column 13: the value of a !!binary tag is not base64",
        ),
        (
            "x: 1\n---\na: .inf\n",
            "line 3, column 4: infinity and not-a-number do not exist in JSON; put it in quotes if it is text",
        ),
        (
            "~: s3cret\n",
            "line 1, column 1: null or so large a number cannot be a key; put it in quotes",
        ),
        ("? [s3cret]\n: 1\n", "line 1, column 3: a map or a list cannot be a key"),
        ("<<: s3cret\n", "line 1, column 5: << needs a map, or a list of maps"),
        (
            "a: &a [*a]\n",
            "line 1, column 8: the alias is inside the very node that it stands for",
        ),
        (
            "a: s3cret\u{1}\n",
            "line 1: the control character U+0001 is not allowed",
        ),
        (
            "a: 1\n--- s3cret\n",
            "line 2: only a comment may follow the separator ---",
        ),
        ("{\"a\": s3cret}\n{\"b\"\n", ""),
        (
            "{\"a\": \"s3cret\",\n\"b\" 1}\n",
            "line 2, column 5: not JSON: expected `:`",
        ),
    ];
    for (text, message) in cases {
        let found = error(text);
        assert!(!found.contains("s3cret"), "{found}");
        if !message.is_empty() {
            assert_eq!(found, message, "{text:?}");
        }
    }
    assert!(!format!("{:?}", parse(b"password: s3cret\n")).contains("s3cret"));
    assert!(error("a: {{ .Values.x }}\n").ends_with("a template that was not rendered?)"));
    assert_eq!(
        error("a: 1\n").len() + error("").len(),
        0,
        "good documents have no errors"
    );
    let utf16 = parse(b"\xff\xfea\0:\0 \x001\0");
    assert!(utf16[0].value.is_err());
}

#[test]
fn documents_that_explode_or_nest_without_end_are_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..10 {
        let aliases = vec![format!("*a{}", n - 1); 10].join(",");
        bomb.push_str(&format!("a{n}: &a{n} [{aliases}]\n"));
    }
    assert!(error(&bomb).contains("aliases"), "{}", error(&bomb));
    let long = format!("a: &a {}\nb:\n{}", "x".repeat(1 << 20), "- *a\n".repeat(200));
    assert!(error(&long).contains("128 MiB"), "{}", error(&long));
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        assert!(!error(&deep).is_empty());
    }
    let json = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(!error(&json).is_empty());
}
