//! Names that Argo CD makes of others.

/// A name of DNS: lower case, anything else but `-` and `.` made `-`, at most 253 bytes, without those at its ends
/// (`applicationset/utils/template_functions.go`, `SanitizeName`).
///
/// ```
/// assert_eq!(argo_cd::normalized("Staging_EU/1."), "staging-eu-1");
/// ```
pub fn normalized(name: &str) -> String {
    let lower = name.to_lowercase();
    let mut out: String = lower
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    out.truncate(253);
    out.trim_matches(['-', '.']).to_owned()
}
