//! What the hub tells by itself: one table of kinds, with the JSON each carries.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::borrow::Cow;
use std::fmt;

/// One row of the table.
pub struct NoticeRow {
    /// The kind.
    pub kind: NoticeKind,
    /// As it is written.
    pub name: &'static str,
    /// What it says, in a sentence.
    pub what: &'static str,
    /// Members of its `data`: name and meaning. All of them are always there.
    pub data: &'static [(&'static str, &'static str)],
}

macro_rules! notices {
    ($($kind:ident $name:literal $what:literal { $($member:literal $meaning:literal;)* })*) => {
        /// Something that the hub tells by itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum NoticeKind { $(#[doc = $what] $kind,)* }

        /// Every kind, once.
        pub static NOTICES: &[NoticeRow] = &[$(NoticeRow {
            kind: NoticeKind::$kind,
            name: $name,
            what: $what,
            data: &[$(($member, $meaning)),*],
        },)*];
    };
}

notices! {
    Test "test" "Somebody wants to know whether notices arrive." {
        "by" "Who asked for it.";
    }
    QuotaWarning "quota.warning" "A quota is used up to one of its thresholds." {
        "quota" "Id of the quota.";
        "name" "Its name.";
        "of" "Whose use it counts, as kind and id.";
        "measure" "requests, tokens, money or images.";
        "percent" "The threshold that was reached.";
        "used" "What is used, a decimal string.";
        "amount" "What may be used, a decimal string.";
        "resets_at" "When a calendar period ends, RFC 3339; null for a rolling window.";
    }
    QuotaExceeded "quota.exceeded" "A request was refused because of a quota, the first one of its period." {
        "quota" "Id of the quota.";
        "name" "Its name.";
        "of" "Whose use it counts, as kind and id.";
        "measure" "requests, tokens, money or images.";
        "used" "What is used, a decimal string.";
        "amount" "What may be used, a decimal string.";
        "resets_at" "When a calendar period ends, RFC 3339; null for a rolling window.";
    }
    PaymentPaid "payment.paid" "Credits were bought." {
        "payment" "Id of the payment.";
        "automatic" "Was it begun by the hub, because credits ran low?";
        "credits" "How many, a decimal string.";
    }
    PaymentFailed "payment.failed" "Credits could not be bought automatically." {
        "payment" "Id of the payment.";
        "why" "In the payment provider's words.";
        "failures" "How often in a row.";
    }
    PaymentDisputed "payment.disputed" "A customer's bank asks money back; the wallet is frozen." {
        "payment" "Id of the payment.";
        "dispute" "The payment provider's id of the dispute.";
    }
    WalletLow "wallet.low" "A wallet has fewer credits than its account says is few." {
        "available" "What can be spent, a decimal string.";
        "below" "What is few, a decimal string.";
    }
}

impl NoticeKind {
    /// Its row of the table.
    pub fn row(self) -> &'static NoticeRow {
        // The table and the type come from the same list.
        &NOTICES[self as usize]
    }

    /// As it is written.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// By its name.
    pub fn parse(text: &str) -> Option<Self> {
        NOTICES.iter().find(|row| row.name == text).map(|row| row.kind)
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for NoticeKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for NoticeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            let names: Vec<&str> = NOTICES.iter().map(|row| row.name).collect();
            D::Error::custom(format!("there is no kind of notice {text:?}; known are {}", names.join(", ")))
        })
    }
}

impl JsonSchema for NoticeKind {
    fn schema_name() -> Cow<'static, str> {
        "NoticeKind".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = NOTICES.iter().map(|row| row.name).collect();
        json_schema!({ "type": "string", "enum": names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_and_the_type_agree_and_names_are_read_back() {
        for (at, row) in NOTICES.iter().enumerate() {
            assert_eq!(row.kind as usize, at);
            assert_eq!(NoticeKind::parse(row.name), Some(row.kind));
            let text = serde_json::to_string(&row.kind).unwrap();
            assert_eq!(serde_json::from_str::<NoticeKind>(&text).unwrap(), row.kind);
        }
        let error = serde_json::from_str::<NoticeKind>("\"quota\"").unwrap_err().to_string();
        assert!(error.contains("quota.warning"), "{error}");
    }
}
