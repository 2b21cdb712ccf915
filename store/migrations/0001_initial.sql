-- The same text for SQLite and PostgreSQL; BYTEA is BLOB on SQLite, and TEXT is ordered by bytes on both.
-- Times are Unix milliseconds, digests lower-case hexadecimal, truth values 0 and 1. Large texts stand last in their
-- table, so that lists do not read them.

CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO counters (name, value) VALUES ('change', 0), ('event', 0);

CREATE TABLE applications (
    name TEXT NOT NULL PRIMARY KEY,
    generation BIGINT NOT NULL,
    digest TEXT NOT NULL,
    format TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    change BIGINT NOT NULL,
    settings TEXT NOT NULL
);
CREATE INDEX applications_by_change ON applications (change);

CREATE TABLE models (
    application TEXT NOT NULL,
    generation BIGINT NOT NULL,
    digest TEXT NOT NULL,
    format TEXT NOT NULL,
    media_type TEXT NOT NULL,
    author TEXT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (application, generation)
);
CREATE INDEX models_by_digest ON models (digest);

CREATE TABLE leases (
    application TEXT NOT NULL PRIMARY KEY,
    wanted BIGINT NOT NULL,
    holder TEXT,
    epoch BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    commits BIGINT NOT NULL
);
CREATE INDEX leases_by_end ON leases (wanted, until_at);

CREATE TABLE replicas (
    holder TEXT NOT NULL PRIMARY KEY,
    until_at BIGINT NOT NULL
);

CREATE TABLE loops (
    application TEXT NOT NULL PRIMARY KEY,
    state TEXT,
    former TEXT
);

CREATE TABLE clouds (
    application TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
);

CREATE TABLE decisions (
    application TEXT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    digest TEXT NOT NULL,
    model TEXT NOT NULL,
    catalog TEXT NOT NULL,
    next TEXT NOT NULL,
    proven BIGINT NOT NULL,
    sentence TEXT NOT NULL,
    input TEXT NOT NULL,
    decision TEXT NOT NULL,
    PRIMARY KEY (application, number)
);
CREATE INDEX decisions_by_time ON decisions (at);

CREATE TABLE plans (
    hash TEXT NOT NULL PRIMARY KEY,
    application TEXT NOT NULL,
    decision BIGINT NOT NULL,
    at BIGINT NOT NULL,
    status TEXT NOT NULL,
    ended_at BIGINT,
    text TEXT NOT NULL
);
CREATE UNIQUE INDEX plans_by_decision ON plans (application, decision);

CREATE TABLE journal (
    plan TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    entry TEXT NOT NULL,
    PRIMARY KEY (plan, sequence)
);

CREATE TABLE events (
    id BIGINT NOT NULL PRIMARY KEY,
    application TEXT,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_application ON events (application, id);
CREATE INDEX events_by_time ON events (at);

CREATE TABLE orders (
    id BIGINT NOT NULL PRIMARY KEY,
    application TEXT NOT NULL,
    author TEXT NOT NULL,
    at BIGINT NOT NULL,
    taken_at BIGINT,
    body TEXT NOT NULL
);
CREATE INDEX orders_by_application ON orders (application, taken_at, id);

CREATE TABLE metrics (
    application TEXT NOT NULL,
    name TEXT NOT NULL,
    value DOUBLE PRECISION NOT NULL,
    at BIGINT NOT NULL,
    received_at BIGINT NOT NULL,
    change BIGINT NOT NULL,
    labels TEXT,
    PRIMARY KEY (application, name)
);
CREATE INDEX metrics_by_change ON metrics (change);

CREATE TABLE catalogs (
    digest TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    format TEXT NOT NULL,
    offers BIGINT NOT NULL,
    author TEXT NOT NULL,
    at BIGINT NOT NULL,
    text BYTEA NOT NULL
);

CREATE TABLE catalog_in_use (
    slot BIGINT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    change BIGINT NOT NULL
);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    hash BYTEA NOT NULL,
    scope TEXT NOT NULL,
    applications TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX tokens_by_prefix ON tokens (prefix);

CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    author TEXT NOT NULL,
    at BIGINT NOT NULL,
    nonce BYTEA NOT NULL,
    sealed BYTEA NOT NULL
);

CREATE TABLE idempotency (
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    status BIGINT,
    headers TEXT,
    body BYTEA,
    PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_by_time ON idempotency (begun_at);

CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    kinds TEXT,
    application TEXT,
    created_at BIGINT NOT NULL,
    paused BIGINT NOT NULL,
    seen BIGINT NOT NULL
);

CREATE TABLE deliveries (
    webhook TEXT NOT NULL,
    event BIGINT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    last_status BIGINT,
    last_error TEXT,
    PRIMARY KEY (webhook, event)
);
CREATE INDEX deliveries_by_time ON deliveries (state, next_at);
