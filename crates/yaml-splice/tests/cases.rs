//! Texts before and after: `cases.txt` has what comes of each.

use serde_json::{Value, json};
use yaml_splice::{Edit, Error, Step, append_document, edit, path, remove_document};

fn set(path: Vec<Step>, value: Value) -> Edit {
    Edit::set(path, value)
}

/// Each case: what it shows, the text, the edits.
fn cases() -> Vec<(&'static str, &'static str, Vec<Edit>)> {
    let d = "# head\nkind: A   # a\n\nspec:\n  # why\n  replicas: 1 # few\n  name: 'x'\n  list:\n  - a\n  # b is gone\n  - c # last\n";
    vec![
        ("a scalar", d, vec![set(path!["spec", "replicas"], json!(3))]),
        ("new key", d, vec![set(path!["spec", "on"], json!("yes"))]),
        (
            "deep new keys",
            d,
            vec![set(path!["metadata", "labels", "a.b/c"], json!("1"))],
        ),
        (
            "new item",
            d,
            vec![Edit::insert(path!["spec", "list", 2], json!({"a": 1, "b": {"c": [1]}}))],
        ),
        ("first item", d, vec![Edit::insert(path!["spec", "list", 0], "z")]),
        ("middle item", d, vec![Edit::insert(path!["spec", "list", 1], "b")]),
        ("item goes", d, vec![Edit::remove(path!["spec", "list", 1])]),
        (
            "all items go",
            d,
            vec![
                Edit::remove(path!["spec", "list", 1]),
                Edit::remove(path!["spec", "list", 0]),
            ],
        ),
        (
            "list set",
            d,
            vec![set(path!["spec", "list"], json!(["a", "b", "c", "d"]))],
        ),
        ("key goes", d, vec![Edit::remove(path!["spec", "replicas"])]),
        (
            "map over scalar",
            d,
            vec![set(path!["spec", "replicas"], json!({"a": {"b": 1}}))],
        ),
        ("scalar over map", d, vec![set(path!["spec"], json!("x"))]),
        (
            "text over scalar",
            d,
            vec![set(path!["spec", "replicas"], json!("a\nb\n"))],
        ),
        (
            "key before",
            d,
            vec![Edit::Insert {
                path: path!["spec", "first"],
                value: json!(1),
                before: Some("replicas".to_owned()),
            }],
        ),
        (
            "block texts",
            "a: |\n  one\n  two\n\nb: >- # folded\n  x\n  y\nc: |+\n  k\n\nd: 1\n",
            vec![
                set(path!["a"], json!("one\nthree\n")),
                set(path!["b"], json!("z")),
                set(path!["c"], json!("k\nl\n")),
            ],
        ),
        (
            "flow",
            "a: {b: 1, c: [1, 2,], d: {}}\ne: []\n",
            vec![
                set(path!["a", "b"], json!("x, y")),
                Edit::insert(path!["a", "c", 2], 3),
                set(path!["a", "d", "on"], json!([{"q": null}])),
                Edit::insert(path!["e", 0], "n"),
                Edit::remove(path!["a", "c", 0]),
            ],
        ),
        (
            "flow on lines",
            "a: [\n  x, # one\n  y\n]\nb: {\n  \"k\": 1,\n  \"l\": 2,\n}\n",
            vec![
                Edit::insert(path!["a", 2], "z"),
                set(path!["b", "m"], json!("3")),
                Edit::remove(path!["b", "k"]),
            ],
        ),
        (
            "crlf",
            "a: 1\r\nb:\r\n  - x\r\n",
            vec![
                set(path!["a"], json!(2)),
                Edit::insert(path!["b", 1], json!({"y": 1, "z": 2})),
                set(path!["c"], json!("q\nr\n")),
            ],
        ),
        (
            "no final newline",
            "a: 1\nb: 2",
            vec![set(path!["c"], json!(3)), Edit::remove(path!["a"])],
        ),
        (
            "no final newline, last goes",
            "a: 1\nb: 2",
            vec![Edit::remove(path!["b"])],
        ),
        (
            "item maps",
            "l:\n- a: 1 # x\n  b: 2\n- # second\n  a: 3\n  # inner\n  b: 4\n",
            vec![
                Edit::remove(path!["l", 0, "a"]),
                Edit::remove(path!["l", 1, "a"]),
                set(path!["l", 0, "c"], json!({"d": 1})),
            ],
        ),
        (
            "item map first",
            "l:\n  - name: a\n    # why\n    v: 1\n",
            vec![Edit::remove(path!["l", 0, "name"])],
        ),
        (
            "item map to scalar",
            "l:\n  - name: a\n    v: 1\n  - x\n",
            vec![
                set(path!["l", 0], json!("y")),
                set(path!["l", 1], json!({"a": 1, "b": 2})),
            ],
        ),
        (
            "four columns",
            "a:\n    b:\n        c: 1\n    l:\n        - x\n",
            vec![set(path!["a", "b", "n"], json!({"m": {"o": 1}, "p": ["q"]}))],
        ),
        (
            "anchor changed",
            "a: &x\n  k: 1\nb: *x\nc: *x\n",
            vec![set(path!["a", "k"], json!(2))],
        ),
        (
            "alias overridden",
            "a: &x {k: 1}\nb: *x # same\nc: *x\n",
            vec![set(path!["b", "k"], json!(2))],
        ),
        (
            "scalar anchor",
            "a: &x one\nb: *x\nc: [*x]\n",
            vec![set(path!["a"], json!("two"))],
        ),
        ("anchor goes", "a: &x one\nb: *x\n", vec![Edit::remove(path!["a"])]),
        (
            "merge overridden",
            "d: &d\n  a: 1\n  b: {c: 1}\ne:\n  <<: *d\n  z: 1\n",
            vec![set(path!["e", "a"], json!(2)), set(path!["e", "b", "q"], json!(2))],
        ),
        (
            "merge goes",
            "d: &d\n  a: 1\n  b: 1\ne:\n  <<: *d\n  z: 1 # z\nf: 1 # f\n",
            vec![Edit::remove(path!["e", "a"])],
        ),
        (
            "merge source",
            "d: &d\n  a: 1\ne:\n  <<: *d\n  z: 1\n",
            vec![set(path!["d", "a"], json!(2))],
        ),
        (
            "merge source goes",
            "d: &d\n  a: 1\ne:\n  <<: *d\n",
            vec![Edit::remove(path!["d"])],
        ),
        ("anchor unused", "a: &x 1\nb: 2\n", vec![set(path!["a"], json!(2))]),
        (
            "nothing written",
            "a:\nb: # c\nc:\n- \n",
            vec![
                set(path!["a"], json!(1)),
                set(path!["b", "c"], json!(1)),
                set(path!["c", 0], json!("x")),
            ],
        ),
        ("twice", "a: 1\nb: 2\na: 3\n", vec![set(path!["a"], json!(4))]),
        ("twice goes", "a: 1\nb: 2\na: 3\n", vec![Edit::remove(path!["a"])]),
        (
            "question",
            "? a\n: 1\nb: 2\n",
            vec![set(path!["a"], json!(4)), set(path!["b"], json!(5))],
        ),
        ("tag", "a: !!str 1\nb: 2\n", vec![set(path!["a"], json!(4))]),
        (
            "quotes",
            "a: 'x'\nb: 'y'\nc: \"z\"\n",
            vec![
                set(path!["a"], json!("on")),
                set(path!["b"], json!("2026-01-31")),
                set(path!["c"], json!("plain")),
            ],
        ),
        (
            "long quoted",
            "a: \"x\n  y\" # c\nb: one\n  two\nc: 1\n",
            vec![set(path!["a"], json!("z")), set(path!["b"], json!({"q": 1}))],
        ),
        (
            "json",
            "{\"kind\": \"A\", \"l\": [1], \"m\": {}}\n",
            vec![
                set(path!["kind"], json!("B")),
                Edit::insert(path!["l", 1], json!({"a": "yes"})),
                set(path!["m", "x"], json!(null)),
            ],
        ),
        (
            "json lines",
            "{\n  \"kind\": \"A\",\n  \"l\": [\n    \"x\"\n  ]\n}\n",
            vec![set(path!["n"], json!("B")), Edit::insert(path!["l", 1], json!("y"))],
        ),
        (
            "root list",
            "- op: a\n  path: /x\n- op: b\n",
            vec![
                Edit::insert(path![2], json!({"op": "c", "value": {"x": 1}})),
                set(path![1, "path"], json!("/y")),
                Edit::remove(path![0]),
            ],
        ),
        ("words as keys", "on: 1\nyes: 2\n", vec![set(path!["true"], json!(3))]),
        (
            "nested lists",
            "a:\n- - x\n  - y\n- z\n",
            vec![Edit::remove(path!["a", 0, 0]), Edit::insert(path!["a", 0, 0], "w")],
        ),
        (
            "named items",
            "c:\n  - name: web # w\n    image: a:1\n  - name: side\n    image: b:1\n",
            vec![set(
                path!["c"],
                json!([{"name": "side", "image": "b:2"}, {"name": "new", "image": "n"}]),
            )],
        ),
        (
            "comment behind",
            "a: # about a\n  # more\n  b: 1\nc: 2\n",
            vec![set(path!["a"], json!(["x"]))],
        ),
        (
            "empty list in map",
            "resources: []\n",
            vec![Edit::insert(path!["resources", 0], "a.yaml")],
        ),
    ]
}

/// `REFLOAT_BLESS=1` writes the file anew, to be read before it is committed.
#[test]
fn what_comes_of_each_case() {
    let mut shown = String::new();
    for (name, before, edits) in cases() {
        let edited = edit(before, 0, &edits).expect("because each case can be edited");
        let again = if edited.reemitted { " (written anew)" } else { "" };
        shown.push_str(&format!("=== {name}{again}\n{before}\n--- becomes\n{}\n", edited.text));
    }
    let shown = shown.replace('\r', "␍");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases.txt");
    if std::env::var_os("REFLOAT_BLESS").is_some() {
        std::fs::write(path, &shown).expect("because the file is ours");
    }
    let expected = std::fs::read_to_string(path).expect("because it is part of the repository");
    assert_eq!(shown, expected);
}

#[test]
fn only_the_named_document_changes() {
    let text = "# first\na: 1\n---\n# second\na: 1 # x\n---\n# nothing\n---\n\na: 1";
    let third = edit(text, 2, &[set(path!["a"], json!(2))]).expect("because it is there");
    assert_eq!(
        third.text,
        text.strip_suffix('1')
            .map(|rest| format!("{rest}2"))
            .expect("because it ends so")
    );
    let second = edit(text, 1, &[Edit::remove(path!["a"])]).expect("because it is there");
    assert_eq!(second.text, text.replace("a: 1 # x", "{}"));
    assert_eq!(
        edit(text, 3, &[]),
        Ok(yaml_splice::Edited {
            text: text.to_owned(),
            reemitted: false
        })
    );
    assert_eq!(edit(text, 3, &[set(path!["a"], json!(2))]), Err(Error::NoDocument(3)));
}

#[test]
fn what_leads_nowhere_is_said() {
    let nowhere = |edit_: Edit| match edit("a: 1\nb: [x]\n", 0, &[edit_]) {
        Err(error) => error.to_string(),
        Ok(_) => "done".to_owned(),
    };
    assert_eq!(nowhere(set(path!["a", "b"], json!(1))), "it has no place a.b");
    assert_eq!(nowhere(set(path!["b", 1], json!(1))), "it has no place b[1]");
    assert_eq!(nowhere(Edit::insert(path!["b", 2], 1)), "it has no place b[2]");
    assert_eq!(nowhere(Edit::insert(path!["a"], 1)), "it has no place a");
    assert_eq!(nowhere(Edit::remove(path!["c.d"])), "it has no place [\"c.d\"]");
    let broken = edit("a: [\n", 0, &[Edit::remove(path!["a"])]).expect_err("because it is no YAML");
    assert!(
        broken.to_string().starts_with("the document is not valid YAML: line "),
        "{broken}"
    );
}

#[test]
fn documents_come_and_go() {
    let text = "# file\na: 1\n---\nb: 1\n--- # c\nc:\n  - 1\n";
    let without = |index: usize| remove_document(text, index).expect("because it is there");
    assert_eq!(without(0), "b: 1\n--- # c\nc:\n  - 1\n");
    assert_eq!(without(1), "# file\na: 1\n--- # c\nc:\n  - 1\n");
    assert_eq!(without(2), "# file\na: 1\n---\nb: 1\n");
    assert_eq!(remove_document("---\na: 1\n", 0).as_deref(), Ok(""));
    let licensed = "# A licence.\n#\n# Its terms.\n\n# About a.\na: 1\n---\nb: 2\n";
    assert_eq!(
        remove_document(licensed, 0).as_deref(),
        Ok("# A licence.\n#\n# Its terms.\n\nb: 2\n")
    );
    assert_eq!(
        remove_document("# About a.\na: 1\n---\nb: 2\n", 0).as_deref(),
        Ok("b: 2\n")
    );
    assert_eq!(remove_document("a: 1\n", 1), Err(Error::NoDocument(1)));
    let value = json!({"d": ["x"], "e": "on"});
    let added = |text: &str| append_document(text, &value).expect("because it is YAML");
    assert_eq!(added(text), format!("{text}---\nd:\n  - x\ne: \"on\"\n"));
    assert_eq!(added("a: 1"), "a: 1\n---\nd:\n- x\ne: \"on\"\n");
    assert_eq!(added("a: 1\n---\n"), "a: 1\n---\nd:\n- x\ne: \"on\"\n");
    assert_eq!(added("a: 'x'\r\n"), "a: 'x'\r\n---\r\nd:\r\n- x\r\ne: 'on'\r\n");
    assert_eq!(added(""), "d:\n- x\ne: \"on\"\n");
    assert_eq!(append_document("{\"a\": 1}\n", &value), Err(Error::Unwritable));
}
