//! `cardinal token`: who may use the service.

use cardinal_adapter::time::UnixMs;
use cardinal_edge::failure::{Exit, Failure};
use cardinal_edge::finding::Finding;
use cardinal_edge::write;
use cardinal_store::{NewToken, Scope, TokenInfo};
use serde::Serialize;

use super::database::{open, refused, runtime};
use crate::arguments::AnswerForm;
use crate::arguments::serve::{Token, TokenScope};
use crate::clock::now;
use crate::output;
use crate::render::diagnostics::clean;
use crate::render::style::{lines, table_of};

/// Makes, lists or revokes tokens.
pub fn run(command: &Token) -> Result<Exit, Failure> {
    runtime()?.block_on(async {
        match command {
            Token::Create { name, scope, applications, expires, database } => {
                let ends = expires
                    .and_then(|time| time.0)
                    .map(|time| now().plus_ms(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)));
                let new = NewToken {
                    name: name.clone(),
                    scope: (*scope).into(),
                    applications: (!applications.is_empty()).then(|| applications.clone()),
                    expires_at: ends,
                };
                let (info, secret) = open(database).await?.create_token(new, now()).await.map_err(refused)?;
                eprintln!("token {} for `{}`, scope {}; it is not shown again:", info.id, info.name, info.scope);
                output::print_raw(format!("{}\n", secret.expose_text().unwrap_or_default()).as_bytes())?;
            }
            Token::List { output: form, database } => {
                let tokens = open(database).await?.tokens().await.map_err(refused)?;
                output::print(&list(&tokens, *form)?)?;
            }
            Token::Revoke { id, database } => {
                open(database).await?.revoke_token(id, now()).await.map_err(refused)?;
            }
        }
        Ok(Exit::Solved)
    })
}

impl From<TokenScope> for Scope {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::Viewer => Scope::Viewer,
            TokenScope::Operator => Scope::Operator,
            TokenScope::Admin => Scope::Admin,
        }
    }
}

/// A token in a list. The fields are a contract.
#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    begins: String,
    scope: String,
    applications: Option<Vec<String>>,
    created: String,
    expires: Option<String>,
    used: Option<String>,
    revoked: Option<String>,
}

fn list(tokens: &[TokenInfo], form: AnswerForm) -> Result<String, Failure> {
    let rows: Vec<Row> = tokens
        .iter()
        .map(|token| Row {
            id: token.id.clone(),
            name: token.name.clone(),
            begins: token.prefix.clone(),
            scope: token.scope.to_string(),
            applications: token.applications.clone(),
            created: instant(token.created_at),
            expires: token.expires_at.map(instant),
            used: token.used_at.map(instant),
            revoked: token.revoked_at.map(instant),
        })
        .collect();
    match form {
        AnswerForm::Json => write::json(&rows),
        AnswerForm::Yaml => write::yaml(&rows),
        AnswerForm::Table if rows.is_empty() => {
            Ok("no tokens; `cardinal token create NAME --scope admin`\n".to_owned())
        }
        AnswerForm::Table => {
            let cells = |row: Row| {
                let state = match (&row.revoked, &row.expires) {
                    (Some(at), _) => format!("revoked {at}"),
                    (None, Some(at)) => format!("until {at}"),
                    (None, None) => "good".to_owned(),
                };
                let of = row.applications.map_or_else(|| "all".to_owned(), |list| clean(&list.join(", ")));
                vec![row.id, clean(&row.name), row.scope, of, state, row.used.unwrap_or_else(|| "never".to_owned())]
            };
            let table = table_of(
                &["token", "name", "scope", "applications", "state", "used"],
                rows.into_iter().map(cells).collect(),
            );
            Ok(lines(&table))
        }
    }
}

/// A time in UTC, to the second.
pub fn instant(at: UnixMs) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
        .unwrap_or_else(|_| at.0.to_string())
}

/// Something that a command was given and cannot use.
pub fn unusable(what: String, help: &str) -> Failure {
    Finding::error(what).help(help).into()
}
