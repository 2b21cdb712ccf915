-- What lists show of a loop. Not in `loops`: SQLite reads through the whole of a large state to what stands behind it.
CREATE TABLE glances (
    application TEXT NOT NULL PRIMARY KEY,
    course TEXT,
    pause TEXT,
    violated TEXT,
    broken TEXT
);

-- What a probe writes and takes away again, to know that the disk takes something. It needs pages of its own.
CREATE TABLE probes (
    filler BYTEA NOT NULL
);
