//! Reads one value.

use std::ops::RangeInclusive;
use std::str::FromStr;

use keywheel_core::clock::Moment;
use keywheel_core::issues::IssueCode;
use keywheel_core::names::NameFault;
use serde_json::{Value, json};

use super::faults::{check_length, refusal, too_few, too_high, too_low, too_many, wrong_type};
use super::{Fields, Given, Read, Shape, Sketch, Taken};

/// The form of a text that is not empty once it is trimmed.
pub(super) const SOME_TEXT: &str = r"^[^\x00]*[^\s\x00][^\x00]*$";
/// The form of a text that may be empty.
const ANY_TEXT: &str = r"^[^\x00]*$";
/// Longest text that has no bound of its own, in characters: access tokens are the longest of them.
const TEXT_CHARS_MAX: i64 = 8_192;
/// How long an id is as a text: no other form of a UUID is taken.
const UUID_CHARS: usize = 36;

/// One value that is there.
#[derive(Clone)]
pub struct Field<'a> {
    pub(super) given: Given<'a>,
    pub(super) refuses_null: bool,
}

/// Reads an object of which one word is known already.
pub type Variant<T> = for<'a> fn(&mut Fields<'a>) -> Taken<T>;

impl<'a> Field<'a> {
    pub(super) const fn sketch(sketch: Sketch) -> Self {
        Self {
            given: Given::Sketch(sketch),
            refuses_null: false,
        }
    }

    /// The value; in a sketch, `schema` is written down and there is none.
    fn value(&self, schema: impl FnOnce() -> Value) -> Read<&'a Value> {
        match &self.given {
            Given::Json(value) | Given::Texts(value) => Ok(value),
            Given::Sketch(sketch) => {
                sketch.also(&schema());
                Err(Vec::new())
            }
        }
    }

    fn is_of_texts(&self) -> bool {
        match &self.given {
            Given::Json(_) => false,
            Given::Texts(_) => true,
            Given::Sketch(sketch) => sketch.is_of_texts(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.given, Given::Json(Value::Null))
    }

    fn part(&self, value: &'a Value) -> Self {
        Self {
            given: Given::Json(value),
            refuses_null: self.refuses_null,
        }
    }

    /// A text, trimmed.
    pub fn text(self) -> Read<String> {
        self.text_within(0..=TEXT_CHARS_MAX)
    }

    /// A trimmed text that is not empty.
    pub fn some_text(self, message_if_empty: &str) -> Read<String> {
        let shape =
            || json!({"type": "string", "minLength": 1, "maxLength": TEXT_CHARS_MAX, "pattern": SOME_TEXT});
        let text = storable(self.str(shape)?)?.trim();
        if text.is_empty() {
            return Err(refusal(IssueCode::short(1), message_if_empty));
        }
        check_length(text, 1, TEXT_CHARS_MAX)?;
        Ok(text.to_owned())
    }

    /// A text as it came, of at most so many characters. It is to be sealed: it may hold anything.
    pub fn raw_text_up_to(self, chars_max: i64) -> Read<String> {
        let text = self.str(|| json!({"type": "string", "maxLength": chars_max}))?;
        check_length(text, 0, chars_max)?;
        Ok(text.to_owned())
    }

    /// A trimmed text with bounds in characters.
    pub fn text_within(self, chars: RangeInclusive<i64>) -> Read<String> {
        let text = self.str(|| {
            let pattern = if *chars.start() > 0 { SOME_TEXT } else { ANY_TEXT };
            json!({"type": "string", "minLength": chars.start(), "maxLength": chars.end(), "pattern": pattern})
        })?;
        let text = storable(text)?.trim();
        check_length(text, *chars.start(), *chars.end())?;
        Ok(text.to_owned())
    }

    /// A name of the core.
    pub fn parsed<T: Shape>(self, parse: impl FnOnce(&str) -> Result<T, NameFault>) -> Read<T> {
        self.parsed_as(T::shape, parse)
    }

    /// A text of another form, given as a JSON Schema, that is parsed.
    pub fn parsed_as<T>(
        self,
        shape: impl FnOnce() -> Value,
        parse: impl FnOnce(&str) -> Result<T, NameFault>,
    ) -> Read<T> {
        let text = storable(self.str(shape)?)?;
        parse(text).map_err(|fault| refusal(fault.code, fault.message))
    }

    /// An id.
    pub fn id<T: FromStr>(self) -> Read<T> {
        let text = self.str(|| json!({"type": "string", "format": "uuid"}))?.trim();
        let parsed = (text.len() == UUID_CHARS).then(|| text.parse().ok()).flatten();
        parsed.ok_or_else(|| refusal(IssueCode::InvalidString { validation: "uuid" }, "Invalid uuid"))
    }

    /// One word of a list, and what it stands for.
    pub fn one_of<T: Clone>(self, options: &[(&str, T)]) -> Read<T> {
        let words: Vec<&str> = options.iter().map(|(word, _)| *word).collect();
        let text = self.str(|| json!({"type": "string", "enum": words}))?.trim();
        if let Some((_, value)) = options.iter().find(|(word, _)| *word == text) {
            return Ok(value.clone());
        }
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let message = format!(
            "Invalid enum value. Expected {}, received '{text}'",
            quoted.join(" | ")
        );
        let code = IssueCode::InvalidEnumValue {
            received: text.to_owned(),
            options: words.into_iter().map(str::to_owned).collect(),
        };
        Err(refusal(code, message))
    }

    /// `true` or `false`; where all values are texts also `True`, `False`, `1` and `0`.
    pub fn boolean(self) -> Read<bool> {
        const WORDS: [(&str, bool); 6] = [
            ("true", true),
            ("false", false),
            ("True", true),
            ("False", false),
            ("1", true),
            ("0", false),
        ];
        if self.is_of_texts() {
            return self.one_of(&WORDS);
        }
        let value = self.value(|| json!({"type": "boolean"}))?;
        value.as_bool().ok_or_else(|| vec![wrong_type("boolean", value)])
    }

    /// A whole number.
    pub fn integer(self, range: RangeInclusive<i64>) -> Read<i64> {
        let texts = self.is_of_texts();
        let schema = || json!({"type": "integer", "minimum": range.start(), "maximum": range.end()});
        whole_within(self.value(schema)?, texts, &range)
    }

    /// A whole number from 1, also as a text of digits (rotation contract, section 17, decision 2).
    pub fn integer_or_digits(self, most: i64) -> Read<i64> {
        let range = 1..=most;
        // Each limit counts for one of the types.
        let schema = || json!({"type": ["integer", "string"], "minimum": 1, "maximum": most, "pattern": digits_up_to(most)});
        whole_within(self.value(schema)?, true, &range)
    }

    /// A number that may have a fraction; never from a text. It is returned as it was written.
    pub fn number(self, range: RangeInclusive<i32>) -> Read<serde_json::Number> {
        let schema = || json!({"type": "number", "minimum": range.start(), "maximum": range.end()});
        let texts = self.is_of_texts();
        let value = self.value(schema)?;
        let number = match value {
            Value::Number(number) => number.clone(),
            Value::String(text) if texts => text
                .trim()
                .parse()
                .map_err(|_| vec![wrong_type("number", value)])?,
            _ => return Err(vec![wrong_type("number", value)]),
        };
        let value = number.as_f64().unwrap_or(f64::INFINITY);
        let (least, most) = range.into_inner();
        if value < f64::from(least) {
            return Err(too_low(least.into()));
        }
        if value > f64::from(most) {
            return Err(too_high(most.into()));
        }
        Ok(number)
    }

    /// A moment (RFC 3339).
    pub fn moment(self) -> Read<Moment> {
        let text = self.str(|| json!({"type": "string", "format": "date-time"}))?;
        let code = IssueCode::InvalidString {
            validation: "datetime",
        };
        text.trim().parse().map_err(|_| refusal(code, "Invalid datetime"))
    }

    /// Whether the value says nothing: `null`, `false` or an empty text. For what is not supported.
    pub fn is_blank(self) -> bool {
        match self.value(|| json!({"enum": [null, false, ""]})) {
            Ok(Value::Null | Value::Bool(false)) | Err(_) => true,
            Ok(Value::String(text)) => text.trim().is_empty(),
            Ok(_) => false,
        }
    }

    /// An object inside of this one, whose fields `read` takes.
    pub fn object<T>(self, read: impl FnOnce(&mut Fields<'a>) -> Taken<T>) -> Read<T> {
        let mut fields = self.into_fields();
        let built = read(&mut fields);
        fields.outcome(built)
    }

    fn into_fields(self) -> Fields<'a> {
        if let Given::Sketch(sketch) = &self.given {
            sketch.also(&json!({"type": "object"}));
        }
        let mut fields = Fields::of(self.given);
        fields.refuses_null = self.refuses_null;
        fields
    }

    /// An object whose other fields depend on the word in the field `tag`.
    pub fn tagged<T>(self, tag: &str, variants: &[(&str, Variant<T>)]) -> Read<T> {
        if let Given::Sketch(sketch) = &self.given {
            let shapes: Vec<Value> = variants
                .iter()
                .map(|(word, read)| of_variant(tag, word, *read, self.refuses_null))
                .collect();
            sketch.also(&json!({"type": "object", "oneOf": shapes}));
            return Err(Vec::new());
        }
        self.object(|fields| {
            let read = fields.required(tag, |field| field.one_of(variants))?;
            read(fields)
        })
    }

    /// An object of any of several forms: the first that fits.
    pub fn any_of<T>(self, forms: &[Variant<T>]) -> Read<T> {
        if let Given::Sketch(sketch) = &self.given {
            let shapes = forms
                .iter()
                .map(|read| sketch.part().of_part(read))
                .collect::<Vec<_>>();
            sketch.also(&json!({"anyOf": shapes}));
            return Err(Vec::new());
        }
        let mut last = Vec::new();
        for read in forms {
            match self.clone().object(read) {
                Ok(value) => return Ok(value),
                Err(issues) => last = issues,
            }
        }
        Err(last)
    }

    /// A list of so many values; the faults of all of them are noted.
    pub fn list<T>(
        self,
        items: RangeInclusive<usize>,
        mut read: impl FnMut(Self) -> Read<T>,
    ) -> Read<Vec<T>> {
        let (items_min, items_max) = items.into_inner();
        if let Given::Sketch(sketch) = &self.given {
            let item = sketch.part();
            // What it ends in says nothing.
            let _ = read(Field::sketch(item.clone()));
            let bounds = json!({"type": "array", "minItems": items_min, "maxItems": items_max});
            sketch.also(&bounds);
            sketch.also(&json!({"items": item.finish()}));
            return Err(Vec::new());
        }
        let value = self.value(Value::default)?;
        let Value::Array(values) = value else {
            return Err(vec![wrong_type("array", value)]);
        };
        if values.len() < items_min {
            return Err(too_few(items_min));
        }
        if values.len() > items_max {
            return Err(too_many(items_max));
        }
        let mut items = Vec::with_capacity(values.len());
        let mut issues = Vec::new();
        for (index, value) in values.iter().enumerate() {
            match read(self.part(value)) {
                Ok(item) => items.push(item),
                Err(faults) => issues.extend(faults.into_iter().map(|issue| issue.within_index(index))),
            }
        }
        if issues.is_empty() { Ok(items) } else { Err(issues) }
    }

    /// A text with at most so many values between commas; empty ones are passed over.
    pub fn comma_list<T>(
        self,
        items_max: usize,
        mut read: impl for<'b> FnMut(Field<'b>) -> Read<T>,
    ) -> Read<Vec<T>> {
        if let Given::Sketch(sketch) = &self.given {
            let item = sketch.part();
            // What it ends in says nothing.
            let _ = read(Field::sketch(item.clone()));
            sketch.also(&json!({"type": "string", "pattern": item.joined_by_commas(items_max)}));
            return Err(Vec::new());
        }
        let text = storable(self.str(Value::default)?)?;
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let items: Value = items.collect();
        let given = Given::Json(&items);
        let list = Field {
            given,
            refuses_null: false,
        };
        list.list(0..=items_max, &mut read)
    }

    fn str(&self, schema: impl FnOnce() -> Value) -> Read<&'a str> {
        let value = self.value(schema)?;
        value.as_str().ok_or_else(|| vec![wrong_type("string", value)])
    }
}

/// A text that every database can keep: PostgreSQL takes no NUL.
fn storable(text: &str) -> Read<&str> {
    if text.contains('\0') {
        return Err(refusal(
            IssueCode::Custom,
            "Text cannot contain the character NUL",
        ));
    }
    Ok(text)
}

/// Reads a whole number; from a text of digits too, where that is allowed.
fn whole_within(value: &Value, from_text: bool, range: &RangeInclusive<i64>) -> Read<i64> {
    let (parsed, received) = match value {
        Value::Number(number) => (whole(number), "float"),
        Value::String(text) if from_text => (text.trim().parse().ok(), "nan"),
        other => return Err(vec![wrong_type("number", other)]),
    };
    let number = parsed.ok_or_else(|| {
        let code = IssueCode::InvalidType {
            expected: "integer",
            received,
        };
        refusal(code, format!("Expected integer, received {received}"))
    })?;
    if number < *range.start() {
        return Err(too_low(*range.start()));
    }
    if number > *range.end() {
        return Err(too_high(*range.end()));
    }
    Ok(number)
}

/// A pattern of the whole numbers from 1 to `most`, written without leading zeros.
fn digits_up_to(most: i64) -> String {
    let digits = most.to_string();
    let mut forms = Vec::new();
    if digits.len() > 1 {
        forms.push(format!("[1-9][0-9]{{0,{}}}", digits.len() - 2));
    }
    for (place, digit) in digits.char_indices() {
        let least = if place == 0 { '1' } else { '0' };
        let (before, after) = (&digits[..place], digits.len() - place - 1);
        if digit > least {
            let below = char::from(digit as u8 - 1);
            forms.push(format!("{before}[{least}-{below}][0-9]{{{after}}}"));
        }
    }
    forms.push(digits);
    format!(r"^\s*({})\s*$", forms.join("|"))
}

/// A JSON number without a fraction; `30.0` is one.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let value = number.as_f64()?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked to be whole and small on the same line"
        )]
        (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
    })
}

/// The schema of an object in which `tag` is this word.
pub(super) fn of_variant<T>(tag: &str, word: &str, read: Variant<T>, refuses_null: bool) -> Value {
    Sketch::json().of_part(|fields: &mut Fields<'static>| {
        fields.refuses_null = refuses_null;
        let _ = fields.required(tag, |field| field.one_of(&[(word, ())]));
        read(fields)
    })
}
