//! Random Go templates.

use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::support::Oracle;
use super::{Dice, seeds};
use crate::template::{Failure, MissingKey, Value, render_value};

/// Functions with the kinds of their arguments: a text, an integer, a list, a map, a boolean, anything, or any number of those.
const FUNCTIONS: &[(&str, &str)] = &[
    ("lower", "t"),
    ("upper", "t"),
    ("title", "t"),
    ("trim", "t"),
    ("trimAll", "tt"),
    ("trimPrefix", "tt"),
    ("trimSuffix", "tt"),
    ("nospace", "t"),
    ("contains", "tt"),
    ("hasPrefix", "tt"),
    ("hasSuffix", "tt"),
    ("replace", "ttt"),
    ("repeat", "it"),
    ("trunc", "it"),
    ("substr", "iit"),
    ("abbrev", "it"),
    ("quote", "*"),
    ("squote", "*"),
    ("cat", "*"),
    ("indent", "it"),
    ("nindent", "it"),
    ("plural", "tti"),
    ("toString", "a"),
    ("toStrings", "a"),
    ("splitList", "tt"),
    ("split", "tt"),
    ("splitn", "tit"),
    ("join", "tl"),
    ("base", "t"),
    ("dir", "t"),
    ("clean", "t"),
    ("ext", "t"),
    ("isAbs", "t"),
    ("atoi", "t"),
    ("int", "a"),
    ("int64", "a"),
    ("float64", "a"),
    ("add1", "a"),
    ("add", "*"),
    ("sub", "aa"),
    ("mul", "aa"),
    ("div", "aa"),
    ("mod", "aa"),
    ("max", "aa"),
    ("min", "aa"),
    ("floor", "a"),
    ("ceil", "a"),
    ("round", "ai"),
    ("until", "i"),
    ("untilStep", "iii"),
    ("seq", "ii"),
    ("list", "*"),
    ("append", "la"),
    ("prepend", "la"),
    ("first", "l"),
    ("last", "l"),
    ("rest", "l"),
    ("initial", "l"),
    ("reverse", "l"),
    ("compact", "l"),
    ("uniq", "l"),
    ("without", "la"),
    ("has", "al"),
    ("slice", "lii"),
    ("concat", "ll"),
    ("chunk", "il"),
    ("sortAlpha", "l"),
    ("dict", "ta"),
    ("get", "mt"),
    ("set", "mta"),
    ("unset", "mt"),
    ("hasKey", "mt"),
    ("pluck", "tm"),
    ("pick", "mt"),
    ("omit", "mt"),
    ("merge", "mm"),
    ("mergeOverwrite", "mm"),
    ("dig", "tam"),
    ("default", "aa"),
    ("empty", "a"),
    ("coalesce", "*"),
    ("all", "*"),
    ("any", "*"),
    ("ternary", "aab"),
    ("typeOf", "a"),
    ("typeIs", "ta"),
    ("kindOf", "a"),
    ("kindIs", "ta"),
    ("deepEqual", "aa"),
    ("b64enc", "t"),
    ("sha256sum", "t"),
    ("toJson", "a"),
    ("toPrettyJson", "a"),
    ("toRawJson", "a"),
    ("fromJson", "t"),
    ("toYaml", "a"),
    ("fromYaml", "t"),
    ("fromYamlArray", "t"),
    ("regexMatch", "tt"),
    ("regexFind", "tt"),
    ("regexReplaceAll", "ttt"),
    ("regexQuoteMeta", "t"),
    ("normalize", "t"),
    ("slugify", "it"),
    ("not", "a"),
    ("and", "*"),
    ("or", "*"),
    ("eq", "aa"),
    ("ne", "aa"),
    ("lt", "aa"),
    ("le", "aa"),
    ("gt", "aa"),
    ("ge", "aa"),
    ("index", "li"),
    ("index", "mt"),
    ("len", "a"),
    ("print", "*"),
    ("println", "*"),
    ("html", "t"),
    ("urlquery", "t"),
];
const FORMATS: &[&str] = &[
    "%s", "%v", "%d", "%q", "%t", "%5v|", "%-5s|", "%05d", "%x", "%T", "%.2f", "%+d", "%%", "%s-%v", "%e", "%g",
    "%8.3f", "%c", "%U",
];
const TEXTS: &[&str] = &[
    "\"\"",
    "\"a\"",
    "\"web\"",
    "\"a,b,c\"",
    "\"Hello World\"",
    "\"x/y.z\"",
    "\"12\"",
    "`a: [1, x]`",
    "\"é-Ü\"",
    "\" p \"",
    "\"a+\"",
    "\"{}\"",
    "\"string\"",
    "\"tier\"",
    "\"-\"",
    "\",\"",
    ".name",
    ".empty",
    ".env.tier",
    ".csv",
    ".path.basename",
    ".labels.app",
    ".values.x",
    "(.name)",
    "$.name",
];
const INTS: &[&str] = &["0", "1", "2", "3", "-1", "7", "0x3", "(len .list)", "(int .n)", "5"];
const LISTS: &[&str] = &[
    ".list",
    ".nums",
    ".mixed",
    ".none",
    ".path.segments",
    "(list 1 2)",
    "(list)",
    "(splitList \",\" .csv)",
    "(until 3)",
];
const MAPS: &[&str] = &[
    ".env",
    ".obj",
    ".emptyObj",
    ".labels",
    "(dict \"a\" 1 \"tier\" \"x\")",
    "(dict)",
    ".values",
    ".",
];
const ANY: &[&str] = &[
    ".n",
    ".half",
    ".neg",
    ".zero",
    ".big",
    ".yes",
    ".no",
    ".nothing",
    ".missing",
    ".env.missing",
    "true",
    "false",
    "nil",
    "1.5",
    "1e3",
    "'a'",
    ".missing.deeper",
    ".nothing.x",
    ".labels.none",
    "$",
];

fn data() -> Json {
    json!({"name": "web", "empty": "", "env": {"tier": "prod", "region": {"name": "eu-1", "zone": 1}}, "n": 3, "big": 1_234_567, "half": 0.5, "neg": -2.5,
        "zero": 0, "yes": true, "no": false, "nothing": null, "list": ["b", "a", "c"], "nums": [1, 2.5, -3], "mixed": ["x", 1, true, null, {"k": "v"}, ["y"]],
        "none": [], "obj": {"b": {"c": [1, "two"]}, "a": null, "z": false}, "emptyObj": {}, "csv": "a,b,,c",
        "path": {"path": "apps/web", "basename": "web", "segments": {"$list": ["apps", "web"]}}, "labels": {"$texts": {"app": "shop", "tier": "front"}},
        "values": {"$texts": {}}})
}

/// The same in our types.
fn typed(json: &Json) -> Value {
    let texts = json.get("$texts").and_then(Json::as_object);
    let list = json.get("$list").and_then(Json::as_array);
    let text = |json: &Json| -> Rc<str> { json.as_str().expect("because they are texts").into() };
    match (texts, list, json) {
        (Some(texts), ..) => Value::TextMap(Rc::new(
            texts
                .iter()
                .map(|(key, value)| (key.as_str().into(), text(value)))
                .collect(),
        )),
        (_, Some(list), _) => Value::texts(list.iter().map(text)),
        (.., Json::Object(map)) => Value::map(map.iter().map(|(key, value)| (key.as_str().into(), typed(value)))),
        (.., Json::Array(items)) => Value::list(items.iter().map(typed)),
        _ => Value::from_json(json).expect("because it is not deep"),
    }
}

/// Something that stands for a value of some kind, most of the time.
fn operand(dice: &mut Dice, kind: char, depth: usize) -> String {
    if depth > 0 && dice.below(3) == 0 {
        return format!("({})", call(dice, depth - 1));
    }
    let kind = if dice.below(12) == 0 { 'a' } else { kind };
    match kind {
        't' => dice.one(TEXTS),
        'i' => dice.one(INTS),
        'l' => dice.one(LISTS),
        'm' => dice.one(MAPS),
        'b' => dice.one(&[".yes", ".no", "true", "false"]),
        _ => {
            let all = [TEXTS, INTS, LISTS, MAPS, ANY, ANY];
            let of = all[dice.below(all.len())];
            dice.one(of)
        }
    }
    .to_owned()
}

fn call(dice: &mut Dice, depth: usize) -> String {
    if dice.below(10) == 0 {
        let args: Vec<String> = (0..dice.below(3)).map(|_| operand(dice, 'a', depth)).collect();
        return format!("printf {:?} {}", dice.one(FORMATS), args.join(" "));
    }
    let (name, kinds) = FUNCTIONS[dice.below(FUNCTIONS.len())];
    let mut args: Vec<String> = match kinds {
        "*" => (0..=dice.below(3)).map(|_| operand(dice, 'a', depth)).collect(),
        kinds => kinds.chars().map(|kind| operand(dice, kind, depth)).collect(),
    };
    if dice.below(40) == 0 {
        args.pop();
    }
    match dice.below(4) {
        0 if !args.is_empty() => {
            let last = args.pop().expect("because there is one");
            format!("{last} | {name} {}", args.join(" "))
        }
        _ => format!("{name} {}", args.join(" ")),
    }
}

fn piece(dice: &mut Dice, depth: usize) -> String {
    let dash = |dice: &mut Dice| {
        if dice.below(6) == 0 {
            ("{{- ", " -}}")
        } else {
            ("{{ ", " }}")
        }
    };
    let (open, close) = dash(dice);
    let inner = |dice: &mut Dice| {
        if depth == 0 {
            " x ".to_owned()
        } else {
            template(dice, depth - 1)
        }
    };
    match dice.below(12) {
        0 => " text\n".to_owned(),
        1 => format!(
            "{open}if {}{close}{}{{{{ else }}}}{}{{{{ end }}}}",
            call(dice, 1),
            inner(dice),
            inner(dice)
        ),
        2 => format!(
            "{open}range {}{close}{}{{{{ . }}}},{{{{ else }}}}none{{{{ end }}}}",
            operand(dice, 'l', 1),
            inner(dice)
        ),
        3 => format!(
            "{open}range $i, $e := {}{close}{{{{ $i }}}}={{{{ $e }}}};{{{{ end }}}}",
            operand(dice, if dice.0 & 1 == 0 { 'l' } else { 'm' }, 1)
        ),
        4 => format!(
            "{open}with {}{close}{{{{ . }}}}{}{{{{ end }}}}",
            operand(dice, 'm', 1),
            inner(dice)
        ),
        5 => format!("{open}$x := {}{close}{{{{ $x }}}}", call(dice, 1)),
        _ => format!("{open}{}{close}", call(dice, 2)),
    }
}

fn template(dice: &mut Dice, depth: usize) -> String {
    (0..=dice.below(2)).map(|_| piece(dice, depth)).collect()
}

/// What this crate refuses on purpose.
const REFUSED: &[&str] = &["within a character", "not supported", "a text is longer", "more than"];

fn refused(failure: &Failure) -> bool {
    REFUSED.iter().any(|words| failure.message.contains(words))
}

#[test]
fn templates() {
    let Some(mut oracle) = Oracle::new() else { return };
    let data = data();
    let (mut wrong, mut good) = (Vec::new(), 0);
    for seed in seeds() {
        let mut dice = Dice::new(seed);
        let text = template(&mut dice, 1);
        let (option, missing) = [
            ("missingkey=default", MissingKey::NoValue),
            ("missingkey=zero", MissingKey::Zero),
            ("missingkey=error", MissingKey::Error),
        ][dice.below(3)];
        let theirs = oracle.ask(&json!({"mode": "template", "text": text, "options": [option], "data": data}));
        let ours = render_value(&text, typed(&data), missing);
        match (&ours, &theirs) {
            (Ok(a), Ok(b)) if a == b => good += 1,
            (Err(_), Err(_)) => {}
            (Err(failure), Ok(_)) if refused(failure) => {}
            _ => wrong.push(format!(
                "{seed} ({option}): {text}\n   ours   {ours:?}\n   theirs {theirs:?}"
            )),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(30)].join("\n")
    );
    assert!(good > 300, "{good} render");
}
