//! Whether an answer follows a JSON schema (2020-12, draft 7 where they agree).
//!
//! Checked is what says which form an answer has: types, properties, items, numbers, lengths,
//! alternatives, references within the schema. Not checked are `pattern`, `patternProperties` and
//! `format`, which need an engine for regular expressions: an answer is never refused for them, and
//! where one of them decides (under `not`, `oneOf`, `if`) nothing is held against the answer. The
//! libraries that do all of it would double this program (jsonschema 3.6 MiB, boon 2.0 MiB).

use std::fmt;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Most steps of one check, each about one comparison: a schema's alternatives can multiply, and
/// schemas come from clients. Nothing else is served meanwhile.
const MOST_STEPS: usize = 200_000;

/// Deepest nesting of schemas within one another, references followed.
const DEEPEST: u32 = 64;

/// Where the text does not follow the schema: a path into it and what is wanted there, without a
/// word of the answer. `None` where it does, or where nobody can say.
pub fn violation(schema: &RawValue, text: &str) -> Option<String> {
    let Ok(root) = serde_json::from_str(schema.get()) else { return None };
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Some("it is not JSON".to_owned());
    };
    let mut check = Check { root: &root, steps: MOST_STEPS, unsure: false };
    check.value(&root, &value, &Path::Root, DEEPEST).err()
}

struct Check<'a> {
    root: &'a Value,
    steps: usize,
    /// Something was met that cannot be checked: what fits may fit for that reason alone.
    unsure: bool,
}

/// Whether a value fits a schema within another.
#[derive(PartialEq, Eq)]
enum Fit {
    No,
    Unsure,
    Yes,
}

/// A place in the answer.
enum Path<'a> {
    Item(&'a Self, usize),
    Member(&'a Self, &'a str),
    Root,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(list, index) => write!(f, "{list}[{index}]"),
            Self::Member(object, name) => write!(f, "{object}.{name}"),
            Self::Root => f.write_str("$"),
        }
    }
}

type Checked = Result<(), String>;

impl<'a> Check<'a> {
    fn value(&mut self, schema: &'a Value, value: &Value, at: &Path<'_>, depth: u32) -> Checked {
        let fields = match schema {
            Value::Bool(false) => return Err(format!("{at} must not be there")),
            Value::Object(fields) => fields,
            _ => return Ok(()),
        };
        let Some(depth) = depth.checked_sub(1).filter(|_| self.may_spend(fields, value)) else {
            // What takes too long to say is not held against the answer.
            self.unsure = true;
            return Ok(());
        };
        const UNCHECKED: [&str; 4] = ["$dynamicRef", "format", "pattern", "patternProperties"];
        self.unsure |= UNCHECKED.iter().any(|name| fields.contains_key(*name));
        if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
            match self.referred(target) {
                Some(found) => self.value(found, value, at, depth)?,
                None => self.unsure = true,
            }
        }
        has_type(fields, value, at)?;
        is_among(fields, value, at)?;
        match value {
            Value::Array(items) => self.items(fields, items, at, depth)?,
            Value::Number(number) => in_range(fields, number.as_f64(), at)?,
            Value::Object(members) => self.members(fields, members, at, depth)?,
            Value::String(text) => has_length(fields, text, at)?,
            Value::Bool(_) | Value::Null => {}
        }
        self.combined(fields, value, at, depth)
    }

    /// Counts what looking at the value by this schema costs: lists are looked through.
    fn may_spend(&mut self, schema: &Map<String, Value>, value: &Value) -> bool {
        let listed = |name: &str| schema.get(name).and_then(Value::as_array).map_or(0, Vec::len);
        let pairs = match (schema.get("uniqueItems"), value) {
            (Some(Value::Bool(true)), Value::Array(items)) => items.len().saturating_pow(2),
            _ => 0,
        };
        let cost = 1 + listed("enum") + listed("required") + pairs;
        self.steps = self.steps.saturating_sub(cost);
        self.steps > 0
    }

    /// Whether a value fits a schema within this one, and whether that is certain.
    fn fit(&mut self, schema: &'a Value, value: &Value, at: &Path<'_>, depth: u32) -> Fit {
        let before = std::mem::take(&mut self.unsure);
        let fits = self.value(schema, value, at, depth).is_ok();
        let unsure = std::mem::replace(&mut self.unsure, before);
        match (fits, unsure) {
            (false, _) => Fit::No,
            (true, true) => Fit::Unsure,
            (true, false) => Fit::Yes,
        }
    }

    /// `#`, `#/$defs/name` (RFC 6901). References elsewhere are not followed.
    fn referred(&self, target: &str) -> Option<&'a Value> {
        self.root.pointer(target.strip_prefix('#')?)
    }

    fn items(
        &mut self,
        schema: &'a Map<String, Value>,
        items: &[Value],
        at: &Path<'_>,
        depth: u32,
    ) -> Checked {
        let count = items.len() as u64;
        if limit(schema, "minItems").is_some_and(|least| count < least)
            || limit(schema, "maxItems").is_some_and(|most| count > most)
        {
            return Err(format!("{at} must have {} items", bounds(schema, "minItems", "maxItems")));
        }
        let is_unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        if is_unique
            && (1..items.len()).any(|i| items.iter().take(i).any(|it| Some(it) == items.get(i)))
        {
            return Err(format!("{at} must have no item twice"));
        }
        // Draft 7 has the list of the first items' schemas at `items`.
        let (first, rest) = match (schema.get("prefixItems"), schema.get("items")) {
            (Some(Value::Array(first)), rest) => (first.as_slice(), rest),
            (_, Some(Value::Array(first))) => (first.as_slice(), schema.get("additionalItems")),
            (_, rest) => (&[][..], rest),
        };
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or(rest) {
                self.value(schema, item, &Path::Item(at, index), depth)?;
            }
        }
        match schema.get("contains") {
            Some(wanted) if !items.iter().any(|it| self.value(wanted, it, at, depth).is_ok()) => {
                Err(format!("{at} must hold an item of a certain form"))
            }
            _ => Ok(()),
        }
    }

    fn members(
        &mut self,
        schema: &'a Map<String, Value>,
        members: &Map<String, Value>,
        at: &Path<'_>,
        depth: u32,
    ) -> Checked {
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(format!("{at}.{name} is missing"));
            }
        }
        let count = members.len() as u64;
        if limit(schema, "minProperties").is_some_and(|least| count < least)
            || limit(schema, "maxProperties").is_some_and(|most| count > most)
        {
            let wanted = bounds(schema, "minProperties", "maxProperties");
            return Err(format!("{at} must have {wanted} fields"));
        }
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        for (name, value) in members {
            let own = known.and_then(|known| known.get(name));
            // A pattern may allow it, and patterns are not read here.
            let others = others.filter(|_| !schema.contains_key("patternProperties"));
            match (own, others) {
                (Some(schema), _) => {
                    self.value(schema, value, &Path::Member(at, name), depth)?;
                }
                (None, Some(Value::Bool(false))) => {
                    return Err(format!("{at} has a field that is not allowed"));
                }
                (None, Some(schema)) => {
                    self.value(schema, value, &Path::Member(at, "*"), depth)?;
                }
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn combined(
        &mut self,
        schema: &'a Map<String, Value>,
        value: &Value,
        at: &Path<'_>,
        depth: u32,
    ) -> Checked {
        let list = |name: &str| schema.get(name).and_then(Value::as_array);
        for schema in list("allOf").into_iter().flatten() {
            self.value(schema, value, at, depth)?;
        }
        if let Some(any) = list("anyOf") {
            let mut fault = None;
            let fits = any.iter().any(|it| match self.value(it, value, at, depth) {
                Ok(()) => true,
                Err(why) => {
                    fault.get_or_insert(why);
                    false
                }
            });
            if let Some(why) = fault.filter(|_| !fits) {
                return Err(format!("{at} has none of the forms it may have ({why})"));
            }
        }
        if let Some(one) = list("oneOf") {
            let fits: Vec<Fit> = one.iter().map(|it| self.fit(it, value, at, depth)).collect();
            let count = |wanted: &Fit| fits.iter().filter(|fit| *fit == wanted).count();
            let (certain, unsure) = (count(&Fit::Yes), count(&Fit::Unsure));
            self.unsure |= unsure > 0;
            if certain > 1 || certain + unsure == 0 {
                return Err(format!(
                    "{at} must have one of the forms it may have, and has {certain}"
                ));
            }
        }
        if let Some(not) = schema.get("not") {
            match self.fit(not, value, at, depth) {
                Fit::No => {}
                Fit::Unsure => self.unsure = true,
                Fit::Yes => return Err(format!("{at} has a form that it must not have")),
            }
        }
        let Some(condition) = schema.get("if") else { return Ok(()) };
        let branch = match self.fit(condition, value, at, depth) {
            Fit::No => "else",
            Fit::Yes => "then",
            Fit::Unsure => {
                self.unsure = true;
                return Ok(());
            }
        };
        match schema.get(branch) {
            Some(schema) => self.value(schema, value, at, depth),
            None => Ok(()),
        }
    }
}

fn has_type(schema: &Map<String, Value>, value: &Value, at: &Path<'_>) -> Checked {
    let wanted: Vec<&str> = match schema.get("type") {
        Some(Value::String(only)) => vec![only],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return Ok(()),
    };
    let is = |name: &&str| match (*name, value) {
        ("array", Value::Array(_))
        | ("boolean", Value::Bool(_))
        | ("null", Value::Null)
        | ("number", Value::Number(_))
        | ("object", Value::Object(_))
        | ("string", Value::String(_)) => true,
        // 1.0 is an integer too.
        ("integer", Value::Number(number)) => number.as_f64().is_some_and(|it| it.fract() == 0.0),
        _ => false,
    };
    match wanted.is_empty() || wanted.iter().any(is) {
        true => Ok(()),
        false => Err(format!("{at} must be of type {}", wanted.join(" or "))),
    }
}

fn is_among(schema: &Map<String, Value>, value: &Value, at: &Path<'_>) -> Checked {
    let is_const = schema.get("const").is_none_or(|wanted| same(wanted, value));
    let listed = schema.get("enum").and_then(Value::as_array);
    let is_listed = listed.is_none_or(|all| all.iter().any(|wanted| same(wanted, value)));
    match is_const && is_listed {
        true => Ok(()),
        false => Err(format!("{at} must be one of the values that the schema lists")),
    }
}

/// 1 and 1.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn in_range(schema: &Map<String, Value>, number: Option<f64>, at: &Path<'_>) -> Checked {
    let Some(number) = number else { return Ok(()) };
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    let rules = [
        ("minimum", "at least", bound("minimum").is_some_and(|it| number < it)),
        ("maximum", "at most", bound("maximum").is_some_and(|it| number > it)),
        ("exclusiveMinimum", "above", bound("exclusiveMinimum").is_some_and(|it| number <= it)),
        ("exclusiveMaximum", "below", bound("exclusiveMaximum").is_some_and(|it| number >= it)),
        ("multipleOf", "a multiple of", bound("multipleOf").is_some_and(|it| !divides(it, number))),
    ];
    match rules.into_iter().find(|(_, _, broken)| *broken) {
        Some((name, words, _)) => {
            Err(format!("{at} must be {words} {}", bound(name).unwrap_or_default()))
        }
        None => Ok(()),
    }
}

/// Within what a binary fraction can say: 0.3 is a multiple of 0.1.
fn divides(step: f64, number: f64) -> bool {
    let times = number / step;
    step == 0.0 || (times - times.round()).abs() < 1e-9
}

fn has_length(schema: &Map<String, Value>, text: &str, at: &Path<'_>) -> Checked {
    let count = || text.chars().count() as u64;
    if limit(schema, "minLength").is_some_and(|least| count() < least)
        || limit(schema, "maxLength").is_some_and(|most| count() > most)
    {
        let wanted = bounds(schema, "minLength", "maxLength");
        return Err(format!("{at} must have {wanted} characters"));
    }
    Ok(())
}

fn limit(schema: &Map<String, Value>, name: &str) -> Option<u64> {
    schema.get(name).and_then(Value::as_u64)
}

fn bounds(schema: &Map<String, Value>, least: &str, most: &str) -> String {
    match (limit(schema, least), limit(schema, most)) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "some".to_owned(),
    }
}

#[cfg(test)]
#[path = "schema/tests.rs"]
mod tests;
