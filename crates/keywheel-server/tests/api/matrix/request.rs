//! Requests that are made from the API document, with the names of a world that is there.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Method;
use serde_json::Value;

use crate::support::{Client, Seen};

/// What to write where the document leaves a blank, by the name of the blank: `{identity}` in a path, `projectId`
/// in a query or at the top of a body. `new ` before it: where a POST makes the thing. Null leaves a field out.
#[derive(Clone, Default)]
pub struct Names(BTreeMap<String, Value>);

/// An operation of the API document.
pub struct Operation {
    pub id: String,
    pub method: Method,
    /// Whether the document says that no token is needed.
    pub is_public: bool,
    path: String,
    /// Name and whether it has to be there.
    query: Vec<(String, bool)>,
    example: Option<Value>,
}

/// A request that can be sent again and again, by whomever.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    method: Method,
    path: String,
    body: Option<String>,
}

impl Names {
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The same blanks, with ids that nothing has.
    pub fn of_nothing(&self) -> Self {
        let mut others = BTreeMap::new();
        let mut other = |value: &Value| {
            let is_id = value
                .as_str()
                .is_some_and(|text| text.parse::<uuid::Uuid>().is_ok());
            if !is_id {
                return value.clone();
            }
            let next = format!("01a1fd18-0000-7000-8000-{:012}", others.len());
            others.entry(value.to_string()).or_insert(next).clone().into()
        };
        Self(
            self.0
                .iter()
                .map(|(name, value)| (name.clone(), other(value)))
                .collect(),
        )
    }

    /// The text with the name of the blank in place of what was written there.
    pub fn blank(&self, text: &str) -> String {
        let written = self
            .0
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_str()?)));
        let ids = written.filter(|(_, value)| value.parse::<uuid::Uuid>().is_ok());
        ids.fold(text.to_owned(), |text, (name, id)| text.replace(id, name))
    }

    /// What is written there.
    #[track_caller]
    pub fn text(&self, name: &str) -> String {
        self.0[name].as_str().unwrap().to_owned()
    }

    fn get(&self, name: &str, is_new: bool) -> Option<&Value> {
        let new = self.0.get(&format!("new {name}")).filter(|_| is_new);
        new.or_else(|| self.0.get(name))
    }
}

impl Operation {
    /// All of them.
    pub fn of(document: &Value) -> Vec<Self> {
        let mut all = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, described) in methods.as_object().unwrap() {
                all.push(Self::read(method, path, described));
            }
        }
        all
    }

    /// Whether there is such a blank in its path.
    pub fn is_below(&self, blank: &str) -> bool {
        self.path.contains(&format!("{{{blank}}}"))
    }

    fn read(method: &str, path: &str, described: &Value) -> Self {
        let parameters = described["parameters"].as_array().into_iter().flatten();
        let query = parameters.filter(|parameter| parameter["in"] == "query");
        let content = &described["requestBody"]["content"]["application/json"];
        Self {
            id: described["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            is_public: described["security"] == serde_json::json!([{}]),
            path: path.to_owned(),
            query: query
                .map(|parameter| {
                    let name = parameter["name"].as_str().unwrap().to_owned();
                    (name, parameter["required"] == true)
                })
                .collect(),
            example: content.get("example").cloned(),
        }
    }

    /// The request with these names, and otherwise as the document's example has it.
    pub fn request(&self, names: &Names) -> Request {
        let mut path = self.filled_path(names);
        for (index, (name, value)) in self.filled_query(names).into_iter().enumerate() {
            path.push(if index == 0 { '?' } else { '&' });
            path.extend([name, "=", &value]);
        }
        Request {
            method: self.method.clone(),
            path,
            body: self
                .example
                .as_ref()
                .map(|example| self.filled_body(example, names)),
        }
    }

    fn filled_path(&self, names: &Names) -> String {
        let segments = self.path.split('/').map(|segment| {
            if !segment.starts_with('{') {
                return segment.to_owned();
            }
            let is_new = self.method == Method::POST && self.path.ends_with(segment);
            self.text(segment, names.get(segment, is_new))
        });
        segments.collect::<Vec<_>>().join("/")
    }

    fn filled_query(&self, names: &Names) -> Vec<(&str, String)> {
        let given = self.query.iter().filter_map(|(name, required)| {
            let value = names.get(name, false).filter(|value| !value.is_null());
            (*required || value.is_some()).then(|| (name.as_str(), self.text(name, value)))
        });
        given.collect()
    }

    fn filled_body(&self, example: &Value, names: &Names) -> String {
        let mut body = example.as_object().unwrap().clone();
        for (name, field) in &mut body {
            if let Some(value) = names.get(name, self.method == Method::POST) {
                field.clone_from(value);
            }
        }
        body.retain(|name, field| !field.is_null() || names.get(name, false).is_none());
        Value::from(body).to_string()
    }

    fn text(&self, name: &str, value: Option<&Value>) -> String {
        let value = value.unwrap_or_else(|| {
            panic!(
                "{} asks for `{name}`, and the world of the matrix has none: make one in matrix/world.rs and name it \
                 there",
                self.id
            )
        });
        value.as_str().unwrap().to_owned()
    }
}

impl Request {
    pub async fn send(&self, client: &Client<'_>) -> Seen {
        let body = self.body.clone().map_or_else(Body::empty, Body::from);
        client.send(self.method.clone(), &self.path, &[], body).await
    }
}
