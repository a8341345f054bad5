//! The fields of a `config.json`, read with an error that names them.

use serde_json::{Map, Value};

#[derive(Clone, Copy)]
pub struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub fn size(self, name: &str) -> Result<usize, String> {
        self.optional_size(name)?
            .ok_or_else(|| format!("`{name}` is missing"))
    }

    pub fn optional_size(self, name: &str) -> Result<Option<usize>, String> {
        self.get(name).map(|value| size(name, value)).transpose()
    }

    pub fn number(self, name: &str) -> Result<f64, String> {
        self.optional_number(name)?
            .ok_or_else(|| format!("`{name}` is missing"))
    }

    pub fn optional_number(self, name: &str) -> Result<Option<f64>, String> {
        self.get(name)
            .map(|value| {
                value
                    .as_f64()
                    .ok_or_else(|| format!("`{name}` must be a number"))
            })
            .transpose()
    }

    pub fn flag(self, name: &str, default: bool) -> Result<bool, String> {
        self.get(name).map_or(Ok(default), |value| {
            value
                .as_bool()
                .ok_or_else(|| format!("`{name}` must be true or false"))
        })
    }

    pub fn optional_text(self, name: &str) -> Result<Option<&'a str>, String> {
        self.get(name)
            .map(|value| {
                value
                    .as_str()
                    .ok_or_else(|| format!("`{name}` must be a string"))
            })
            .transpose()
    }

    pub fn optional_object(self, name: &str) -> Result<Option<Fields<'a>>, String> {
        self.get(name)
            .map(|value| {
                value
                    .as_object()
                    .map(Fields)
                    .ok_or_else(|| format!("`{name}` must be an object"))
            })
            .transpose()
    }

    pub fn optional_sizes(self, name: &str) -> Result<Option<Vec<usize>>, String> {
        let read = |values: &Vec<Value>| values.iter().map(|value| size(name, value)).collect();
        self.optional_list(name)?.map(read).transpose()
    }

    pub fn numbers(self, name: &str) -> Result<Vec<f64>, String> {
        let values = self
            .optional_list(name)?
            .ok_or_else(|| format!("`{name}` is missing"))?;
        let number = |value: &Value| {
            value
                .as_f64()
                .ok_or_else(|| format!("`{name}` must hold numbers"))
        };
        values.iter().map(number).collect()
    }

    pub fn optional_texts(self, name: &str) -> Result<Option<Vec<&'a str>>, String> {
        let text = |value: &'a Value| {
            value
                .as_str()
                .ok_or_else(|| format!("`{name}` must hold strings"))
        };
        let read = |values: &'a Vec<Value>| values.iter().map(text).collect();
        self.optional_list(name)?.map(read).transpose()
    }

    fn optional_list(self, name: &str) -> Result<Option<&'a Vec<Value>>, String> {
        self.get(name)
            .map(|value| {
                value
                    .as_array()
                    .ok_or_else(|| format!("`{name}` must be a list"))
            })
            .transpose()
    }

    /// Refuses a flag that would change what is computed.
    pub fn refuse(self, name: &str) -> Result<(), String> {
        match self.flag(name, false)? {
            true => Err(format!(
                "`{name}` is true; this family is supported without it"
            )),
            false => Ok(()),
        }
    }
}

fn size(name: &str, value: &Value) -> Result<usize, String> {
    let number = value.as_u64().and_then(|x| usize::try_from(x).ok());
    number.ok_or_else(|| format!("`{name}` is {value}; it must be a whole number from 0"))
}
