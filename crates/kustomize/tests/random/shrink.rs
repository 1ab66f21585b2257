//! Makes a case smaller as long as it shows the same difference.

use serde_json::Value;

use super::layers::Case;
use super::place::{self, Step};

/// The smallest case found that is still `bad`, with at most so many tries.
pub fn shrink(mut case: Case, mut tries: usize, bad: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut try_one = |case: &mut Case, smaller: Case| {
        let found = tries > 0 && bad(&smaller);
        tries = tries.saturating_sub(1);
        if found {
            *case = smaller;
        }
        (found, tries > 0)
    };
    loop {
        let mut has_shrunk = false;
        for path in case.files.keys().cloned().collect::<Vec<_>>() {
            let mut smaller = case.clone();
            smaller.files.remove(&path);
            has_shrunk |= try_one(&mut case, smaller).0;
        }
        for path in case.files.keys().cloned().collect::<Vec<_>>() {
            let mut at = 0;
            while let Some(smaller) = without(&case, &path, at) {
                let (found, goes_on) = try_one(&mut case, smaller);
                if !goes_on {
                    return case;
                }
                has_shrunk |= found;
                at += usize::from(!found);
            }
        }
        if !has_shrunk {
            return case;
        }
    }
}

/// The case without the place of this number in a file of YAML; `None` past the last.
fn without(case: &Case, path: &str, number: usize) -> Option<Case> {
    let read = kube_yaml::parse(case.files[path].as_bytes());
    let mut documents: Vec<Value> = read.into_iter().map(|one| one.value.ok()).collect::<Option<_>>()?;
    let structured = documents.iter().all(|one| one.is_object() || one.is_array());
    let places = documents.iter().enumerate().flat_map(|(at, one)| {
        let inner = place::all(one).into_iter().map(move |place| (at, place));
        std::iter::once((at, Vec::new())).chain(inner)
    });
    let places = places.filter(|(_, place)| !is_head(place));
    let (at, found) = places.into_iter().nth(number).filter(|_| structured)?;
    match found.is_empty() {
        true => drop(documents.remove(at)),
        false => place::remove(&mut documents[at], &found),
    }
    let mut smaller = case.clone();
    let text = documents
        .iter()
        .map(|one| format!("---\n{}", kube_yaml::to_string(one)))
        .collect();
    smaller.files.insert(path.to_owned(), text);
    Some(smaller)
}

/// What every object has: a case without it would show something else.
fn is_head(found: &[Step]) -> bool {
    match found {
        [Step::Key(key)] => key == "apiVersion" || key == "kind" || key == "metadata",
        [.., Step::Key(key)] => key == "name" || key == "fieldPaths",
        [.., Step::Key(key), Step::Index(_)] => key == "fieldPaths",
        _ => false,
    }
}
