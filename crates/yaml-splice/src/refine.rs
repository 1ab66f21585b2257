//! From the value that is wanted to the single changes that lead there: what is equal is not touched.

use serde_json::Value;

use crate::{Edit, Step};

/// Larger lists are not compared item by item.
const MOST_PAIRS: usize = 1 << 20;

/// Single changes that make `new` of `old`, in the order in which they are to be made.
pub(crate) fn refine(old: &Value, new: &Value, path: &[Step], out: &mut Vec<Edit>) {
    let below = |step: Step| [path, &[step]].concat();
    match (old, new) {
        (old, new) if same(old, new) => {}
        (Value::Object(old), Value::Object(new)) if !new.is_empty() && !old.is_empty() => {
            for (at, (key, value)) in new.iter().enumerate() {
                match old.get(key) {
                    Some(old) => refine(old, value, &below(Step::from(key.as_str())), out),
                    None => out.push(Edit::Insert {
                        path: below(Step::from(key.as_str())),
                        value: value.clone(),
                        before: new.keys().skip(at + 1).find(|next| old.contains_key(*next)).cloned(),
                    }),
                }
            }
            // Last, so that no map is left empty on the way.
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            out.extend(gone.map(|key| Edit::remove(below(Step::from(key.as_str())))));
        }
        (Value::Array(old), Value::Array(new))
            if !new.is_empty() && !old.is_empty() && old.len() * new.len() <= MOST_PAIRS =>
        {
            lists(old, new, path, out);
        }
        (_, new) => out.push(Edit::Set {
            path: path.to_vec(),
            value: new.clone(),
        }),
    }
}

/// What becomes of items, in order, with indices of the new list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays(usize),
    Goes,
    Comes(usize),
}

/// From the end to the beginning, so that the indices of what is still to be changed hold. What comes in the place of something comes
/// before that goes: no list is left empty on the way.
fn lists(old: &[Value], new: &[Value], path: &[Step], out: &mut Vec<Edit>) {
    let below = |at: usize| [path, &[Step::Index(at)]].concat();
    let mut at = old.len();
    for fate in fates(old, new).iter().rev() {
        match *fate {
            Fate::Stays(to) => {
                at -= 1;
                refine(&old[at], &new[to], &below(at), out);
            }
            Fate::Goes => {
                at -= 1;
                out.push(Edit::remove(below(at)));
            }
            Fate::Comes(to) => out.push(Edit::insert(below(at), new[to].clone())),
        }
    }
}

fn fates(old: &[Value], new: &[Value]) -> Vec<Fate> {
    let head = old.iter().zip(new).take_while(|(a, b)| same(a, b)).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| same(a, b))
        .count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut fates: Vec<Fate> = (0..head).map(Fate::Stays).collect();
    middle(old, new, (head, old_end), (head, new_end), &mut fates);
    fates.extend((0..tail).map(|at| Fate::Stays(new_end + at)));
    fates
}

/// The longest common part by value or name; what is left between is paired where it is equally many.
fn middle(old: &[Value], new: &[Value], of: (usize, usize), to: (usize, usize), fates: &mut Vec<Fate>) {
    let (rows, columns) = (of.1 - of.0, to.1 - to.0);
    let mut longest = vec![vec![0usize; columns + 1]; rows + 1];
    let alike = |row: usize, column: usize| {
        let (a, b) = (&old[of.0 + row], &new[to.0 + column]);
        same(a, b) || a["name"].is_string() && a["name"] == b["name"]
    };
    for row in (0..rows).rev() {
        for column in (0..columns).rev() {
            longest[row][column] = match alike(row, column) {
                true => longest[row + 1][column + 1] + 1,
                false => longest[row + 1][column].max(longest[row][column + 1]),
            };
        }
    }
    let (mut row, mut column) = (0, 0);
    let (mut gone, mut come) = (0, Vec::new());
    while row < rows || column < columns {
        let is_common = row < rows && column < columns && alike(row, column);
        if is_common && longest[row][column] == longest[row + 1][column + 1] + 1 {
            between(&mut gone, &mut come, fates);
            fates.push(Fate::Stays(to.0 + column));
            (row, column) = (row + 1, column + 1);
        } else if column == columns || row < rows && longest[row + 1][column] >= longest[row][column + 1] {
            gone += 1;
            row += 1;
        } else {
            come.push(to.0 + column);
            column += 1;
        }
    }
    between(&mut gone, &mut come, fates);
}

/// What stands between common items.
fn between(gone: &mut usize, come: &mut Vec<usize>, fates: &mut Vec<Fate>) {
    match *gone == come.len() {
        true => fates.extend(come.drain(..).map(Fate::Stays)),
        false => {
            fates.extend(std::iter::repeat_n(Fate::Goes, *gone));
            fates.extend(come.drain(..).map(Fate::Comes));
        }
    }
    *gone = 0;
}

/// Whether two values are one for Kubernetes: `1.0` is `1`.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
