//! Path expressions of jq, as far as they say which fields of an object are meant.

use std::fmt;
use std::sync::Arc;

use jaq_core::compile::Filter;
use jaq_core::data::JustLut;
use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Term};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::path::Part;
use jaq_core::{Compiler, Ctx, Native, Vars, native, unwrap_valr};
use jaq_json::Val;
use jaq_std::ValT as _;
use serde::Deserialize;
use serde_json::Value;

type Data = JustLut<Val>;

/// The functions that an expression may call. Each ends, and none asks for anything but the object.
const FUNCTIONS: &[&str] = &[
    "all",
    "any",
    "arrays",
    "ascii_downcase",
    "booleans",
    "contains",
    "empty",
    "endswith",
    "false",
    "first",
    "has",
    "in",
    "index",
    "indices",
    "inside",
    "isarray",
    "isboolean",
    "isempty",
    "isnumber",
    "isobject",
    "isstring",
    "keys",
    "keys_unsorted",
    "last",
    "length",
    "ltrimstr",
    "not",
    "null",
    "nulls",
    "numbers",
    "objects",
    "path",
    "rtrimstr",
    "scalars",
    "select",
    "sort",
    "startswith",
    "strings",
    "test",
    "tostring",
    "true",
    "type",
    "values",
];
/// The longest expression, in bytes.
const LONGEST: usize = 2000;
/// The most places at which an expression may branch (`,` and `..`): each may double the work.
const BRANCHES: usize = 12;
/// The most fields that an expression may mean.
const FIELDS: usize = 10_000;

/// A path expression of jq (`.spec.containers[] | select(.name == "web")`), made ready.
///
/// It only ever goes down into the object, so that it ends: no definitions, loops, arithmetic or assignments.
#[derive(Clone)]
pub struct Expression {
    text: String,
    filter: Arc<Filter<Native<Data>>>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What cannot be evaluated of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let term = load::parse(text, |parser| parser.term()).ok_or("it is no expression of jq")?;
        let mut branches = 0;
        check(&term, &mut branches)?;
        // The expression stands for itself: it was read alone.
        let code = format!("path({text}\n)");
        let arena = Arena::default();
        let file = File { path: (), code: &*code };
        let modules = Loader::new(definitions()).load(&arena, file);
        let modules = modules.map_err(|_| "it is no expression of jq")?;
        let filter = Compiler::default()
            .with_funs(functions())
            .compile(modules)
            .map_err(|errors| {
                let named = errors
                    .iter()
                    .flat_map(|(_, undefined)| undefined.iter().map(|(name, _)| *name));
                format!("{} is not known here", named.collect::<Vec<_>>().join(", "))
            })?;
        Ok(Self {
            text: text.to_owned(),
            filter: Arc::new(filter),
        })
    }

    /// The JSON pointers of the fields that it means in an object; none where it fails, as it does on objects of another shape.
    pub(super) fn pointers(&self, object: &Value) -> Vec<Vec<String>> {
        let Ok(value) = Val::deserialize(object) else {
            return Vec::new();
        };
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new([]));
        let paths = self.filter.id.run((context, value)).map(unwrap_valr);
        let mut found = Vec::new();
        for path in paths {
            match path.ok().and_then(|path| tokens(&path)) {
                Some(tokens) if found.len() < FIELDS => found.push(tokens),
                _ => return Vec::new(),
            }
        }
        found
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A path of jq as the tokens of a JSON pointer.
fn tokens(path: &Val) -> Option<Vec<String>> {
    let Val::Arr(steps) = path else { return None };
    let token = |step: &Val| match step {
        Val::TStr(_) => Some(String::from_utf8_lossy(step.as_bytes()?).into_owned()),
        Val::Num(_) => step.as_isize().map(|index| index.to_string()),
        _ => None,
    };
    steps.iter().map(token).collect()
}

/// What is no path into the object, or need not end.
fn check(term: &Term<&str>, branches: &mut usize) -> Result<(), String> {
    let mut branch = || {
        *branches += 1;
        match *branches <= BRANCHES {
            true => Ok(()),
            false => Err(format!("it branches more than {BRANCHES} times")),
        }
    };
    let no = |what: &str| Err(format!("{what} cannot be evaluated here"));
    match term {
        Term::Recurse => branch()?,
        Term::Label(..) | Term::Break(_) => return no("label"),
        Term::Fold(name, ..) => return no(name),
        Term::Def(..) => return no("def"),
        Term::BinOp(_, BinaryOp::Comma, _) => branch()?,
        Term::BinOp(_, BinaryOp::Math(_) | BinaryOp::UpdateMath(_), _) | Term::Neg(_) => return no("arithmetic"),
        Term::BinOp(_, BinaryOp::Assign | BinaryOp::Update | BinaryOp::UpdateAlt, _) => return no("an assignment"),
        Term::Str(Some(format), _) => return no(format),
        _ => {}
    }
    parts(term).into_iter().try_for_each(|part| check(part, branches))
}

/// The terms that a term is made of.
fn parts<'t, 's>(term: &'t Term<&'s str>) -> Vec<&'t Term<&'s str>> {
    match term {
        Term::Str(_, parts) => {
            let inner = parts.iter().filter_map(|part| match part {
                StrPart::Term(term) => Some(term),
                _ => None,
            });
            inner.collect()
        }
        Term::Arr(inner) => inner.iter().map(AsRef::as_ref).collect(),
        Term::Obj(pairs) => pairs
            .iter()
            .flat_map(|(key, value)| [Some(key), value.as_ref()])
            .flatten()
            .collect(),
        Term::Neg(inner) | Term::Label(_, inner) | Term::Def(_, inner) => vec![inner],
        Term::BinOp(left, _, right) => vec![left, right],
        Term::Fold(_, inner, _, rest) => std::iter::once(&**inner).chain(rest).collect(),
        Term::TryCatch(inner, catch) => std::iter::once(inner).chain(catch).map(AsRef::as_ref).collect(),
        Term::IfThenElse(cases, otherwise) => {
            let cases = cases.iter().flat_map(|(condition, then)| [condition, then]);
            cases.chain(otherwise.as_deref()).collect()
        }
        Term::Call(_, arguments) => arguments.iter().collect(),
        Term::Path(inner, path) => {
            let steps = path.0.iter().flat_map(|(part, _)| match part {
                Part::Index(index) => vec![index],
                Part::Range(from, until) => from.iter().chain(until).collect(),
            });
            std::iter::once(&**inner).chain(steps).collect()
        }
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => Vec::new(),
    }
}

fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let all = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    // `test` is given below.
    all.filter(|def| FUNCTIONS.contains(&def.name) && def.name != "test")
}

fn functions() -> impl Iterator<Item = native::Fun<Data>> {
    let all = jaq_core::funs().chain(jaq_std::base_funs()).chain(jaq_json::funs());
    // `error_empty` and others are what definitions are made of.
    let test: native::Filter<jaq_core::RunPtr<Data>> = ("test", native::v(1), |cv| {
        native::unary(cv, |text, pattern| {
            let pattern = String::from_utf8_lossy(pattern.try_as_bytes()?).into_owned();
            let pattern = regex::bytes::Regex::new(&pattern);
            let pattern = pattern.map_err(|_| jaq_core::Error::str("no regular expression"))?;
            Ok(Val::from(pattern.is_match(text.try_as_bytes()?)))
        })
    });
    let allowed = all.filter(|(name, ..)| FUNCTIONS.contains(name) || name.contains('_'));
    allowed.chain([native::run::<Data>(test)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({"metadata": {"name": "web", "annotations": {"a.b/c": "true"}, "labels": {"tier": "front"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "web", "image": "web:latest", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]},
                {"name": "istio-proxy", "image": "proxy:1", "resources": {"limits": {"cpu": "1"}}}]}}},
            "webhooks": [{"clientConfig": {"caBundle": "x"}}, {"clientConfig": {}}]})
    }

    fn means(expression: &str) -> Vec<String> {
        let expression = Expression::parse(expression).unwrap_or_else(|why| panic!("{expression}: {why}"));
        let pointers = expression.pointers(&object());
        pointers.iter().map(|tokens| tokens.join(" ")).collect()
    }

    #[test]
    fn fields_are_found_as_jq_finds_them() {
        for (expression, expected) in [
            (".spec.replicas", &["spec replicas"][..]),
            (r#".metadata.annotations["a.b/c"]"#, &["metadata annotations a.b/c"]),
            (
                r#".metadata.annotations."a.b/c", .spec.replicas"#,
                &["metadata annotations a.b/c", "spec replicas"],
            ),
            (
                ".webhooks[]?.clientConfig.caBundle",
                &["webhooks 0 clientConfig caBundle", "webhooks 1 clientConfig caBundle"],
            ),
            (".absent[]?.x", &[]),
            (".webhooks[0]", &["webhooks 0"]),
            (
                r#".spec.template.spec.containers[] | select(.name == "istio-proxy")"#,
                &["spec template spec containers 1"],
            ),
            (
                r#".spec.template.spec.containers[] | select(.image | endswith(":latest")) | .image"#,
                &["spec template spec containers 0 image"],
            ),
            (
                r#".spec.template.spec.containers[].env[]? | select(.name | test("^[B-Z]$")).value"#,
                &["spec template spec containers 0 env 1 value"],
            ),
            (
                r#"select(.metadata.labels.tier == "front").spec.replicas"#,
                &["spec replicas"],
            ),
            (r#"select(.metadata.labels.tier == "back").spec.replicas"#, &[]),
            (
                r#"select((.metadata.annotations // {}) | has("a.b/c")) | .spec"#,
                &["spec"],
            ),
            (
                r#".metadata?.annotations?["a.b/c"] as $on | if $on == "true" then .spec.replicas else empty end"#,
                &["spec replicas"],
            ),
            (
                r#".spec.template.spec.containers[] | select(any(.env[]?; .name == "A")) | .env"#,
                &["spec template spec containers 0 env"],
            ),
            (".. | .caBundle? | strings", &["webhooks 0 clientConfig caBundle"]),
            // jq fails on these objects, and means nothing.
            (".webhooks[].clientConfig[] | .x", &[]),
            (".spec.replicas.x", &[]),
            (r#".metadata.name | test("(")"#, &[]),
            // A comment does not reach beyond the expression.
            (".spec.replicas # not scaled by Git", &["spec replicas"]),
        ] {
            assert_eq!(means(expression), expected, "{expression}");
        }
    }

    #[test]
    fn what_need_not_end_or_is_no_path_is_refused() {
        for (expression, why) in [
            ("def f: f; f", "def cannot be evaluated here"),
            (".x | (def f: f; f)", "def cannot be evaluated here"),
            ("reduce .[] as $x (0; .)", "reduce cannot be evaluated here"),
            ("foreach .[] as $x (0; .)", "foreach cannot be evaluated here"),
            ("label $out | .x", "label cannot be evaluated here"),
            (".x = 1", "an assignment cannot be evaluated here"),
            (".x |= 1", "an assignment cannot be evaluated here"),
            (".x += 1", "arithmetic cannot be evaluated here"),
            (
                r#"select(.x == "a" * 1000000000)"#,
                "arithmetic cannot be evaluated here",
            ),
            ("select(-.x == 1)", "arithmetic cannot be evaluated here"),
            ("@base64 \"x\"", "@base64 cannot be evaluated here"),
            ("repeat(.)", "repeat is not known here"),
            ("[range(1; 9)]", "range is not known here"),
            ("env.HOME", "env is not known here"),
            ("$ENV.HOME", "$ENV is not known here"),
            ("input", "input is not known here"),
            (".x) | (.y", "it is no expression of jq"),
            (".spec[", "it is no expression of jq"),
            ("", "it is no expression of jq"),
            ("import \"a\" as a; .", "it is no expression of jq"),
        ] {
            assert_eq!(Expression::parse(expression), Err(why.to_owned()), "{expression}");
        }
        let explodes = vec!["(., .)"; 40].join(" | ");
        assert_eq!(
            Expression::parse(&explodes),
            Err("it branches more than 12 times".to_owned())
        );
        assert!(Expression::parse(&" ".repeat(3000)).is_err());
        assert_eq!(
            means("(., .) | (., .) | (., .) | (., .) | (., .) | (., .) | (., .)").len(),
            128
        );
    }
}
