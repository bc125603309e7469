//! The database of the hub that was there before (`aikit.db`, SQLite), read and never changed.
//! Its columns are looked up by name, because they differ from one version to the next.

use crate::types::Wall;
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use std::collections::HashMap;
use std::path::Path;

/// See the module.
pub struct Aikit {
    connection: Connection,
}

/// What a table holds, and which of its rows cannot be read.
pub struct OldRows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Each with its id and why.
    pub unreadable: Vec<String>,
}

/// A provider.
#[derive(Clone, Debug, PartialEq)]
pub struct OldProvider {
    /// Its id there.
    pub id: String,
    /// One of a fixed list.
    pub name: String,
    /// For people.
    pub title: String,
    /// Where it is.
    pub base_url: Option<String>,
    /// For Bedrock.
    pub region: Option<String>,
    /// Was it in use?
    pub enabled: bool,
}

/// A credential, as it is stored.
#[derive(Clone)]
pub struct OldCredential {
    /// Its id there.
    pub id: String,
    /// Id of its provider.
    pub provider: String,
    /// For people.
    pub name: String,
    /// `api_key`, `access_key_pair` or `custom`.
    pub kind: String,
    /// JSON; its secret members are encrypted, or not.
    pub value: String,
    /// Was it in use?
    pub active: bool,
    /// Its share.
    pub weight: Option<u32>,
}

/// What a model costs.
#[derive(Clone, Debug, PartialEq)]
pub struct OldRate {
    /// Id of its provider.
    pub provider: String,
    /// As the vendor calls it.
    pub model: String,
    /// `chatCompletion`, `embedding`, `imageGeneration` or `video`.
    pub kind: String,
    /// JSON with `input` and `output`, dollars for a token, an image or a second.
    pub unit_costs: Option<String>,
    /// Is it out of use?
    pub deprecated: bool,
}

/// One call of its history.
#[derive(Clone, Debug, PartialEq)]
pub struct OldCall {
    /// Its id there.
    pub id: String,
    /// When it came.
    pub at: Wall,
    /// Id of the provider.
    pub provider: String,
    /// Id of the credential.
    pub credential: Option<String>,
    /// As the vendor calls it.
    pub model: String,
    /// What kind of call.
    pub kind: String,
    /// Tokens, images or seconds, a decimal number.
    pub usage: String,
    /// Numbers about it, as JSON.
    pub metrics: Option<String>,
    /// What it cost there, a decimal number.
    pub credits: String,
    /// `processing`, `success` or `failed`.
    pub status: String,
    /// How long it took, in seconds, a decimal number.
    pub duration: Option<String>,
    /// Until its first byte, in milliseconds.
    pub first_byte_ms: Option<u64>,
    /// Why it failed.
    pub error: Option<String>,
    /// For which application.
    pub app: Option<String>,
    /// For whom.
    pub user: Option<String>,
    /// Its name in logs.
    pub request: Option<String>,
}

/// A row, by the names of its columns.
struct Row(HashMap<String, Value>);

impl Row {
    /// A text; numbers are written as one. Empty ones are none.
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::Text(text) if !text.is_empty() => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            // The shortest text that is this number, never with an exponent.
            Value::Real(number) => Some(number.to_string()),
            _ => None,
        }
    }

    fn needed(&self, name: &str) -> Result<String, String> {
        self.text(name).ok_or_else(|| format!("has no {name}"))
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.split('.').next()?.parse().ok()
    }

    /// Unless it says otherwise.
    fn switch(&self, name: &str, unless: bool) -> bool {
        match self.0.get(name) {
            Some(Value::Integer(number)) => *number != 0,
            _ => unless,
        }
    }

    /// A point in time: seconds or milliseconds since the epoch, or a text.
    fn time(&self, name: &str) -> Option<Wall> {
        /// A number of seconds beyond this would be later than the year 5000.
        const SECONDS: i64 = 100_000_000_000;
        match self.0.get(name)? {
            Value::Integer(at) if *at < SECONDS => at.checked_mul(1_000_000).map(Wall),
            Value::Integer(at) => at.checked_mul(1_000).map(Wall),
            Value::Text(text) => {
                let text = text.replacen(' ', "T", 1).replace(' ', "");
                let zoned = if text.contains(['Z', '+']) { text } else { format!("{text}Z") };
                zoned.parse::<jiff::Timestamp>().ok().map(|at| Wall(at.as_microsecond()))
            }
            _ => None,
        }
    }
}

impl Aikit {
    /// Opens a database for reading alone.
    ///
    /// # Errors
    /// Says why it cannot be opened, or that it is another one.
    pub fn open(path: &Path) -> Result<Self, String> {
        let at = |error: rusqlite::Error| format!("{}: {error}", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(at)?;
        let opened = Self { connection };
        match opened.has("AiProviders").map_err(at)? {
            true => Ok(opened),
            false => Err(format!("{}: has no table AiProviders; it is no AIGNE Hub's", path.display())),
        }
    }

    fn has(&self, table: &str) -> rusqlite::Result<bool> {
        let sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?1";
        self.connection.query_row(sql, [table], |row| row.get::<_, i64>(0)).map(|count| count > 0)
    }

    /// Hands out every row of a table, in the order of its ids. A table that is not there is empty.
    fn each(
        &self,
        table: &'static str,
        work: &mut dyn FnMut(Row) -> Result<(), String>,
    ) -> Result<(), String> {
        let told = |error: rusqlite::Error| format!("{table}: {error}");
        if !self.has(table).map_err(told)? {
            return Ok(());
        }
        // The names of tables are this file's own.
        let sql = format!("SELECT * FROM \"{table}\" ORDER BY id");
        let mut statement = self.connection.prepare(&sql).map_err(told)?;
        let names: Vec<String> = statement.column_names().iter().map(|name| (*name).to_owned()).collect();
        let mut rows = statement.query([]).map_err(told)?;
        while let Some(row) = rows.next().map_err(told)? {
            let values = names.iter().enumerate();
            let values = values.map(|(at, name)| Ok((name.clone(), row.get::<_, Value>(at)?)));
            work(Row(values.collect::<rusqlite::Result<_>>().map_err(told)?))?;
        }
        Ok(())
    }

    fn all<T>(&self, table: &'static str, read: fn(&Row) -> Result<T, String>) -> Result<OldRows<T>, String> {
        let mut found = OldRows { rows: Vec::new(), unreadable: Vec::new() };
        self.each(table, &mut |row| {
            match read(&row) {
                Ok(read) => found.rows.push(read),
                Err(why) => found.unreadable.push(unreadable(table, &row, &why)),
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Its providers.
    ///
    /// # Errors
    /// The database is damaged.
    pub fn providers(&self) -> Result<OldRows<OldProvider>, String> {
        self.all("AiProviders", |row| {
            let name = row.needed("name")?;
            Ok(OldProvider {
                id: row.needed("id")?,
                title: row.text("displayName").unwrap_or_else(|| name.clone()),
                name,
                base_url: row.text("baseUrl"),
                region: row.text("region"),
                enabled: row.switch("enabled", true),
            })
        })
    }

    /// Its credentials.
    ///
    /// # Errors
    /// The database is damaged.
    pub fn credentials(&self) -> Result<OldRows<OldCredential>, String> {
        self.all("AiCredentials", |row| {
            Ok(OldCredential {
                id: row.needed("id")?,
                provider: row.needed("providerId")?,
                name: row.text("name").unwrap_or_default(),
                kind: row.text("credentialType").unwrap_or_else(|| "api_key".to_owned()),
                value: row.needed("credentialValue")?,
                active: row.switch("active", true),
                weight: row.number("weight").and_then(|weight| u32::try_from(weight).ok()),
            })
        })
    }

    /// What its models cost.
    ///
    /// # Errors
    /// The database is damaged.
    pub fn rates(&self) -> Result<OldRows<OldRate>, String> {
        self.all("AiModelRates", |row| {
            Ok(OldRate {
                provider: row.needed("providerId")?,
                model: row.needed("model")?,
                kind: row.needed("type")?,
                unit_costs: row.text("unitCosts"),
                deprecated: row.switch("deprecated", false),
            })
        })
    }

    /// Hands out its history, call by call; what cannot be read comes as an error.
    ///
    /// # Errors
    /// The database is damaged, or what `work` says.
    pub fn calls(
        &self,
        work: &mut dyn FnMut(Result<OldCall, String>) -> Result<(), String>,
    ) -> Result<(), String> {
        let table = "ModelCalls";
        self.each(table, &mut |row| work(call(&row).map_err(|why| unreadable(table, &row, &why))))
    }
}

fn unreadable(table: &str, row: &Row, why: &str) -> String {
    format!("{table} {}: {why}", row.text("id").unwrap_or_default())
}

fn call(row: &Row) -> Result<OldCall, String> {
    let at = row.time("callTime").or_else(|| row.time("createdAt"));
    Ok(OldCall {
        id: row.needed("id")?,
        at: at.ok_or("has no time")?,
        provider: row.needed("providerId")?,
        credential: row.text("credentialId"),
        model: row.needed("model")?,
        kind: row.text("type").unwrap_or_default(),
        usage: row.text("totalUsage").unwrap_or_else(|| "0".to_owned()),
        metrics: row.text("usageMetrics"),
        credits: row.text("credits").unwrap_or_else(|| "0".to_owned()),
        status: row.needed("status")?,
        duration: row.text("duration"),
        first_byte_ms: row.number("ttfb"),
        error: row.text("errorReason"),
        app: row.text("appDid"),
        user: row.text("userDid"),
        request: row.text("requestId"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(sql: &str) -> (tempfile::TempDir, Result<Aikit, String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aikit.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let opened = Aikit::open(&path);
        (folder, opened)
    }

    #[test]
    fn times_are_read_in_every_form_that_versions_wrote() {
        let (_folder, aikit) = database(
            "CREATE TABLE AiProviders (id TEXT);
             CREATE TABLE ModelCalls (id TEXT, providerId TEXT, model TEXT, status TEXT, callTime, credits);
             INSERT INTO ModelCalls VALUES ('1', 'p', 'm', 'success', 1700000000, 0.00000012),
               ('2', 'p', 'm', 'success', 1700000000000, 3), ('4', 'p', 'm', NULL, 1, '2.50'),
               ('3', 'p', 'm', 'failed', '2023-11-14 22:13:20.000 +00:00', '2.50');",
        );
        let mut found = Vec::new();
        aikit
            .unwrap()
            .calls(&mut |call| {
                found.push(call.map(|call| (call.at.seconds(), call.credits)));
                Ok(())
            })
            .unwrap();
        let at = 1_700_000_000;
        assert_eq!(
            found[..3],
            [Ok((at, "0.00000012".to_owned())), Ok((at, "3".to_owned())), Ok((at, "2.50".to_owned())),]
        );
        assert_eq!(found[3], Err("ModelCalls 4: has no status".to_owned()));
    }

    #[test]
    fn another_database_is_refused_and_missing_tables_are_empty() {
        let (_folder, other) = database("CREATE TABLE t (id TEXT);");
        assert!(other.err().unwrap().contains("no table AiProviders"));
        let (_folder, aikit) = database(
            "CREATE TABLE AiProviders (id TEXT, name TEXT); INSERT INTO AiProviders VALUES ('1', NULL);",
        );
        let aikit = aikit.unwrap();
        assert_eq!(aikit.providers().unwrap().unreadable, ["AiProviders 1: has no name"]);
        assert!(aikit.credentials().unwrap().rows.is_empty());
        let no_database = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(no_database.path(), "no database, but long enough to be looked at as one").unwrap();
        assert!(Aikit::open(no_database.path()).is_err());
    }
}
