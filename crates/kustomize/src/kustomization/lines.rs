//! Where a field stands in a kustomization file. Found by looking at the text, and only when there is an error to tell.

/// The line of a field such as `images[0].newTag`, from 1, as near as the text tells; `None` where not even the first part is there.
pub(crate) fn line_of(text: &str, field: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut start, mut end) = (0, lines.len());
    let mut found = None;
    for part in parts(field) {
        let range = match part {
            Part::Key(key) => key_range(&lines, start, end, key),
            Part::Item(at) => item_range(&lines, start, end, at),
        };
        // Such as a list on one line.
        let Some(range) = range else { break };
        (start, end) = range;
        found = Some(start + 1);
    }
    found
}

enum Part<'f> {
    Key(&'f str),
    Item(usize),
}

fn parts(field: &str) -> impl Iterator<Item = Part<'_>> {
    let parts = field.split(['.', '[']).filter(|part| !part.is_empty());
    parts.map(|part| match part.strip_suffix(']').and_then(|at| at.parse().ok()) {
        Some(at) => Part::Item(at),
        None => Part::Key(part.trim_end_matches(']')),
    })
}

/// Column of the first character, and the rest; `None` for a line without content.
fn content(line: &str) -> Option<(usize, &str)> {
    let rest = line.trim_start_matches(' ');
    (!rest.trim().is_empty() && !rest.starts_with('#')).then_some((line.len() - rest.len(), rest))
}

/// The same behind the dashes of list items.
fn behind_dashes(line: &str) -> Option<(usize, &str)> {
    let (mut column, mut rest) = content(line)?;
    while let Some(more) = rest.strip_prefix("- ") {
        let trimmed = more.trim_start_matches(' ');
        column += rest.len() - trimmed.len();
        rest = trimmed;
    }
    Some((column, rest))
}

fn is_key(rest: &str, key: &str) -> bool {
    let rest = rest.trim_start_matches(['"', '\'']);
    let Some(rest) = rest
        .get(..key.len())
        .filter(|head| head.eq_ignore_ascii_case(key))
        .map(|_| &rest[key.len()..])
    else {
        return false;
    };
    rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':')
}

fn key_range(lines: &[&str], start: usize, end: usize, key: &str) -> Option<(usize, usize)> {
    let columns = lines.iter().enumerate().take(end).skip(start);
    let keys = columns.filter_map(|(at, line)| {
        behind_dashes(line)
            .filter(|(_, rest)| is_key(rest, key))
            .map(|(column, _)| (column, at))
    });
    let (column, at) = keys.min()?;
    let ends = |line: &&str| {
        content(line).is_some_and(|(other, rest)| other < column || (other == column && !rest.starts_with('-')))
    };
    let length = lines.get(at + 1..end)?.iter().position(ends).unwrap_or(end - at - 1);
    Some((at, at + 1 + length))
}

fn item_range(lines: &[&str], start: usize, end: usize, at: usize) -> Option<(usize, usize)> {
    let dashes = lines.iter().enumerate().take(end).skip(start + 1);
    let mut dashes = dashes.filter_map(|(at, line)| {
        content(line)
            .filter(|(_, rest)| rest.starts_with('-'))
            .map(|(column, _)| (column, at))
    });
    let (column, first) = dashes.next()?;
    let mut items = std::iter::once(first)
        .chain(dashes.filter(|(other, _)| *other == column).map(|(_, at)| at))
        .skip(at);
    let item = items.next()?;
    Some((item, items.next().unwrap_or(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found() {
        let text = "# a comment\nkind: Kustomization\nresources:\n- a.yaml\n\n- b.yaml\nimages:\n  - name: x\n    newTag: '1'\n  # here\n  \
            - newTag: '2'\n    name: y\n\"patches\": [{path: a}]\nlabels:\n- pairs:\n    name: z\n  fields:\n  - path: p\n    kind: k\n";
        for (field, expected) in [
            ("kind", Some(2)),
            ("resources", Some(3)),
            ("resources[0]", Some(4)),
            ("resources[1]", Some(6)),
            ("resources[2]", Some(3)),
            ("images[0].newTag", Some(9)),
            ("images[1]", Some(11)),
            ("images[1].newTag", Some(11)),
            ("images[1].name", Some(12)),
            ("patches[0].path", Some(13)),
            ("labels[0].fields[0].kind", Some(19)),
            ("labels[0].pairs.name", Some(16)),
            ("vars", None),
            ("", None),
        ] {
            assert_eq!(line_of(text, field), expected, "{field}");
        }
    }
}
