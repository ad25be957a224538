//! Who may sign in: a table of the application, beside which sessions are stored.

use axum_login::{AuthUser, AuthnBackend};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};

/// A row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    pub id: i64,
    pub name: String,
    /// Name and password stand for a hash with salt.
    pub hash: String,
}

impl AuthUser for User {
    type Id = i64;

    fn id(&self) -> i64 {
        self.id
    }

    fn session_auth_hash(&self) -> &[u8] {
        self.hash.as_bytes()
    }
}

/// The table.
#[derive(Clone, Debug)]
pub struct Users(pub SqlitePool);

impl Users {
    /// Makes the file and the table with three users, whose passwords are `one`.
    pub async fn create(file: &std::path::Path) -> Self {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let pool =
            SqlitePool::connect_with(options.journal_mode(SqliteJournalMode::Wal)).await.unwrap();
        for statement in [
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, password TEXT)",
            "INSERT INTO users VALUES (1, 'ada', 'one'), (2, 'bob', 'one'), (3, 'cyd', 'one')",
        ] {
            sqlx::query(statement).execute(&pool).await.unwrap();
        }
        Self(pool)
    }

    pub async fn find(&self, id: i64) -> sqlx::Result<Option<User>> {
        let query =
            sqlx::query_as("SELECT *, name || ':' || password AS hash FROM users WHERE id = ?")
                .bind(id);
        query.fetch_optional(&self.0).await
    }

    pub async fn set_password(&self, id: i64, password: &str) {
        let query = sqlx::query("UPDATE users SET password = ? WHERE id = ?");
        query.bind(password).bind(id).execute(&self.0).await.unwrap();
    }

    /// How many sessions of tower-sessions are stored.
    pub async fn old_sessions(&self) -> i64 {
        let query = sqlx::query_scalar("SELECT count(*) FROM tower_sessions");
        query.fetch_one(&self.0).await.unwrap()
    }
}

impl AuthnBackend for Users {
    type User = User;
    /// Name and password.
    type Credentials = (String, String);
    type Error = sqlx::Error;

    async fn authenticate(&self, (name, password): (String, String)) -> sqlx::Result<Option<User>> {
        let query = sqlx::query_scalar("SELECT id FROM users WHERE name = ? AND password = ?");
        let known: Option<i64> = query.bind(name).bind(password).fetch_optional(&self.0).await?;
        match known {
            Some(id) => self.find(id).await,
            None => Ok(None),
        }
    }

    async fn get_user(&self, id: &i64) -> sqlx::Result<Option<User>> {
        self.find(*id).await
    }
}
