//! Functions of lists (sprig's `list.go`).

use super::Type::{Any, Int};
use super::kinds::deep_equal;
use super::numbers::to_int;
use super::{Bounds, Failure, Function, Type, Value, fail, fixed, int, items, list, strslice, strval, variadic};

type Result<T> = std::result::Result<T, Failure>;

const TWO: &[Type] = &[Any, Any];

pub(super) const FUNCTIONS: &[Function] = &[
    variadic("list", &[], Any, |bounds, args| list(bounds, args.to_vec())),
    variadic("tuple", &[], Any, |bounds, args| list(bounds, args.to_vec())),
    fixed("append", TWO, append),
    fixed("push", TWO, append),
    fixed("mustAppend", TWO, append),
    fixed("mustPush", TWO, append),
    fixed("prepend", TWO, prepend),
    fixed("mustPrepend", TWO, prepend),
    fixed("first", &[Any], |_, args| first(args)),
    fixed("mustFirst", &[Any], |_, args| first(args)),
    fixed("last", &[Any], |_, args| last(args)),
    fixed("mustLast", &[Any], |_, args| last(args)),
    fixed("rest", &[Any], rest),
    fixed("mustRest", &[Any], rest),
    fixed("initial", &[Any], initial),
    fixed("mustInitial", &[Any], initial),
    fixed("reverse", &[Any], reverse),
    fixed("mustReverse", &[Any], reverse),
    fixed("compact", &[Any], compact),
    fixed("mustCompact", &[Any], compact),
    fixed("uniq", &[Any], uniq),
    fixed("mustUniq", &[Any], uniq),
    variadic("without", &[Any], Any, without),
    variadic("mustWithout", &[Any], Any, without),
    fixed("has", TWO, has),
    fixed("mustHas", TWO, has),
    variadic("slice", &[Any], Any, slice),
    variadic("mustSlice", &[Any], Any, slice),
    variadic("concat", &[], Any, concat),
    fixed("chunk", &[Int, Any], chunk),
    fixed("mustChunk", &[Int, Any], chunk),
    fixed("sortAlpha", &[Any], |_, args| match args[0].items() {
        Some(_) => {
            let mut texts = strslice(&args[0])?;
            texts.sort();
            Ok(Value::texts(texts))
        }
        None => Ok(Value::texts([strval(&args[0])?])),
    }),
];

fn append(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut all = items(&args[0], "push")?;
    all.push(args[1].clone());
    list(bounds, all)
}

fn prepend(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut all = items(&args[0], "prepend")?;
    all.insert(0, args[1].clone());
    list(bounds, all)
}

fn first(args: &[Value]) -> Result<Value> {
    Ok(items(&args[0], "first")?.first().cloned().unwrap_or(Value::Nil))
}

fn last(args: &[Value]) -> Result<Value> {
    Ok(items(&args[0], "last")?.last().cloned().unwrap_or(Value::Nil))
}

fn rest(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let all = items(&args[0], "rest")?;
    list(bounds, all.into_iter().skip(1).collect())
}

fn initial(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut all = items(&args[0], "initial")?;
    all.pop();
    list(bounds, all)
}

fn reverse(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut all = items(&args[0], "reverse")?;
    all.reverse();
    list(bounds, all)
}

fn compact(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let all = items(&args[0], "compact")?;
    list(bounds, all.into_iter().filter(Value::truth).collect())
}

fn uniq(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut kept: Vec<Value> = Vec::new();
    for item in items(&args[0], "uniq")? {
        if !among(bounds, &kept, &item)? {
            kept.push(item);
        }
    }
    list(bounds, kept)
}

fn without(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut kept = Vec::new();
    for item in items(&args[0], "without")? {
        if !among(bounds, &args[1..], &item)? {
            kept.push(item);
        }
    }
    list(bounds, kept)
}

fn has(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    if args[1].is_nothing() {
        return Ok(Value::Bool(false));
    }
    let all = items(&args[1], "has")?;
    among(bounds, &all, &args[0]).map(Value::Bool)
}

fn among(bounds: &mut Bounds, all: &[Value], item: &Value) -> Result<bool> {
    for other in all {
        if deep_equal(bounds, other, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn slice(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let all = items(&args[0], "slice")?;
    if all.is_empty() {
        return Ok(Value::Nil);
    }
    let place = |at: usize| args.get(at).map(to_int);
    let end = match place(2) {
        Some(end) => usize::try_from(end).ok(),
        None => Some(all.len()),
    };
    let start = usize::try_from(place(1).unwrap_or(0)).ok();
    match (start, end) {
        (Some(start), Some(end)) if start <= end && end <= all.len() => list(bounds, all[start..end].to_vec()),
        _ => fail("slice bounds out of range"),
    }
}

fn concat(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let mut all = Vec::new();
    for value in args {
        match value.items() {
            Some(items) => all.extend(items),
            None => return fail(format!("Cannot concat type {} as list", value.kind_name())),
        }
        bounds.step(all.len())?;
    }
    list(bounds, all)
}

fn chunk(bounds: &mut Bounds, args: &[Value]) -> Result<Value> {
    let all = items(&args[1], "chunk")?;
    let size = int(args, 0);
    let Some(size) = usize::try_from(size).ok().filter(|size| *size > 0) else {
        // Go counts the chunks by dividing, and comes to none for some negative sizes.
        let last = i64::try_from(all.len()).unwrap_or(i64::MAX) - 1;
        return match size < 0 && last > 0 && last.unsigned_abs() <= size.unsigned_abs() {
            true => list(bounds, Vec::new()),
            false => fail("a chunk must have a size"),
        };
    };
    let chunks = all.chunks(size).map(|chunk| Value::list(chunk.to_vec()));
    list(bounds, chunks.collect())
}
