//! Argo CD's own functions of names (`applicationset/utils/{template_functions,utils}.go`, `gosimple/slug`).

use super::Type::{Any, Text};
use super::{Failure, Function, Value, fail, fixed, text, variadic};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("normalize", &[Text], |_, args| {
        Ok(Value::from(crate::names::normalized(&text(args, 0))))
    }),
    variadic("slugify", &[], Any, |_, args| slugify(args)),
];

/// `slugify [size [smart]] name`.
fn slugify(args: &[Value]) -> Result<Value, Failure> {
    let (mut size, mut smart, mut name) = (50, true, String::new());
    for (at, arg) in args.iter().enumerate() {
        match (at, arg) {
            (at, Value::Text(text)) if at + 1 == args.len() => name = text.to_string(),
            (at, Value::Int(number)) if at == 0 && at + 1 < args.len() => size = *number,
            (1, Value::Bool(truth)) if args.len() > 2 => smart = *truth,
            (at, _) if at > 1 && at + 1 < args.len() => {}
            (_, other) => return fail(format!("interface conversion: interface {{}} is {}", other.type_name())),
        }
    }
    let mut slug = crate::names::normalized(&name);
    let size = usize::try_from(size).unwrap_or(0);
    if !smart && slug.len() >= size {
        slug.truncate(size);
    }
    let mut out = String::new();
    for c in slug.chars() {
        let c = if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
            c
        } else {
            '-'
        };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    let out = out.trim_matches(['-', '_']);
    let cut = match smart && size > 0 && out.len() > size {
        true => out[..=size].rfind('-').unwrap_or(size),
        false => out.len(),
    };
    Ok(Value::from(&out[..cut]))
}
