//! Variables in the texts of Applications (`pkg/apis/application/v1alpha1/types.go`, `Env.Envsubst`).

/// A text with `$NAME` and `${NAME}` replaced by what `value` says, as Go's `os.Expand` reads them; `$$` is one `$`.
///
/// ```
/// let value = |name: &str| Ok::<_, ()>(if name == "ARGOCD_APP_NAME" { "shop".to_owned() } else { String::new() });
/// assert_eq!(argo_cd::expanded("$ARGOCD_APP_NAME-${OTHER}$$", value), Ok("shop-$".to_owned()));
/// ```
///
/// # Errors
///
/// The first that `value` says.
pub fn expanded<E>(text: &str, mut value: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.is_empty() {
            out.push('$');
            break;
        }
        let (name, length) = name_at(rest);
        match name {
            "" if length == 0 => out.push('$'),
            // Braces without a name in them are eaten.
            "" => {}
            "$" => out.push('$'),
            name => out.push_str(&value(name)?),
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    Ok(out)
}

/// The name behind a `$`, and how far it goes.
fn name_at(text: &str) -> (&str, usize) {
    let is_special = |c: char| c.is_ascii_digit() || "*#$@!?-".contains(c);
    if let Some(inside) = text.strip_prefix('{') {
        return match inside.find('}') {
            Some(end) => (&inside[..end], end + 2),
            None => ("", 1),
        };
    }
    if text.starts_with(is_special) {
        return (&text[..1], 1);
    }
    let is_name = |c: char| c == '_' || c.is_ascii_alphanumeric();
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    (&text[..end], end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's `os/env_test.go`, `expandTests`; `types_test.go`, `TestEnvsubst`.
    #[test]
    fn names_are_read_as_go_reads_them() {
        let value = |name: &str| {
            Ok::<_, ()>(match name {
                "HOME" => "/usr/gopher".to_owned(),
                "H" => "(Value of H)".to_owned(),
                "home_1" => "/usr/foo".to_owned(),
                "1" => "ARGUMENT1".to_owned(),
                "_" => "underscore".to_owned(),
                _ => String::new(),
            })
        };
        for (text, expected) in [
            ("", ""),
            ("$$", "$"),
            ("$$HOME", "$HOME"),
            ("$1", "ARGUMENT1"),
            ("${1}", "ARGUMENT1"),
            ("now is the time", "now is the time"),
            ("$HOME", "/usr/gopher"),
            ("$home_1", "/usr/foo"),
            ("${HOME}", "/usr/gopher"),
            ("${H}OME", "(Value of H)OME"),
            ("A$$$#$1$H$home_1*B", "A$ARGUMENT1(Value of H)/usr/foo*B"),
            ("start$+middle$^end$", "start$+middle$^end$"),
            ("mixed$|bag$$$", "mixed$|bag$$"),
            ("$", "$"),
            ("$}", "$}"),
            ("${", ""),
            ("${}", ""),
            ("$_x$_", "underscore"),
            ("é$é${nobody}é", "é$éé"),
        ] {
            assert_eq!(expanded(text, value).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(expanded("a$b", |name| Err(name.to_owned())), Err("b".to_owned()));
    }
}
